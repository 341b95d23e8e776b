public import Tensors

/// The computation of an encoder's vector from the last hidden states of a sequence.
///
/// The vectors of several modes are concatenated, as in Sentence Transformers.
public struct Pooling: Sendable, Hashable {
    /// One way to compute a vector.
    ///
    /// Raw values are the names in Sentence Transformers.
    public enum Mode: String, Sendable, CaseIterable {
        /// The hidden state of the first token.
        case cls
        /// The greatest value of each channel.
        case max
        /// The mean of the hidden states.
        case mean
        /// The sum of the hidden states divided by the square root of their number.
        case meanSqrtLength = "mean_sqrt_len_tokens"
        /// The mean of the hidden states, weighted by position. Positions start at 1.
        case weightedMean = "weightedmean"
        /// The hidden state of the last token.
        case lastToken = "lasttoken"
    }

    /// The modes, in the order of their vectors.
    public let modes: [Mode]
    /// Whether the model's files normalise the vectors to length 1.
    ///
    /// ``vector(of:in:channels:)`` does not do this, because it does not change cosines.
    public internal(set) var isNormalised = false

    /// The maximum number of tokens of a text, with its special tokens, that the model's files
    /// state; nil if they state none.
    public internal(set) var maximumTokens: Int?

    /// The mean of the hidden states, which is the default.
    public static let mean = Pooling([.mean])

    /// Creates a pooling with at least one mode.
    public init(_ modes: [Mode]) {
        precondition(!modes.isEmpty, "a pooling needs a mode")
        self.modes = modes
    }

    /// Returns the number of tokens to which a text is cut.
    ///
    /// - Parameter positions: The number of tokens that the model or the caller allows.
    /// - Returns: The same number, or ``maximumTokens`` if that is smaller.
    public func length(within positions: Int) -> Int { min(positions, maximumTokens ?? positions) }

    /// Computes the vector of a sequence.
    ///
    /// - Parameters:
    ///   - rows: The rows of the sequence, at least one.
    ///   - hidden: The last hidden states of a batch.
    ///   - channels: The channels to use, in ascending order; nil for all.
    /// - Returns: One value for each mode and channel.
    public func vector(
        of rows: Range<Int>, in hidden: Activations, channels: [Int]? = nil
    ) -> [Double] {
        modes.flatMap { mode in
            let whole = mode.vector(of: rows, in: hidden)
            return channels.map { $0.map { whole[$0] } } ?? whole
        }
    }
}

extension Pooling.Mode {
    fileprivate func vector(of rows: Range<Int>, in hidden: Activations) -> [Double] {
        func sum(_ weight: (Int) -> Double) -> [Double] {
            var sum = [Double](repeating: 0, count: hidden.columns)
            for (place, row) in rows.enumerated() {
                let weight = weight(place)
                for (column, value) in hidden.row(row).enumerated() {
                    sum[column] += weight * Double(value)
                }
            }
            return sum
        }
        let count = Double(rows.count)
        switch self {
        case .cls: return hidden.row(rows.lowerBound).map(Double.init)
        case .lastToken: return hidden.row(rows.upperBound - 1).map(Double.init)
        case .max:
            return rows.dropFirst().reduce(hidden.row(rows.lowerBound).map(Double.init)) {
                zip($0, hidden.row($1)).map { Swift.max($0, Double($1)) }
            }
        case .mean: return sum { _ in 1 / count }
        case .meanSqrtLength: return sum { _ in 1 / count.squareRoot() }
        case .weightedMean: return sum { Double($0 + 1) / (count * (count + 1) / 2) }
        }
    }
}
