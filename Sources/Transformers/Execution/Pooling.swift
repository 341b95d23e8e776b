public import Tensors

/// How the last hidden states of a sequence become the vector of an encoder.
///
/// Sentence Transformers concatenates the vectors of several modes; so does this.
public struct Pooling: Sendable, Hashable {
    /// One way to make a vector; raw values are the names that Sentence Transformers uses.
    public enum Mode: String, Sendable, CaseIterable {
        /// The first token.
        case cls
        /// The greatest value of each channel.
        case max
        /// The mean of the tokens.
        case mean
        /// The sum of the tokens over the square root of their number.
        case meanSqrtLength = "mean_sqrt_len_tokens"
        /// The mean of the tokens, weighted by their places, which count from 1.
        case weightedMean = "weightedmean"
        /// The last token.
        case lastToken = "lasttoken"
    }

    /// The modes, in the order of their vectors.
    public let modes: [Mode]

    /// The mean of the tokens, for models that do not say otherwise.
    public static let mean = Pooling([.mean])

    /// Pools by at least one mode.
    public init(_ modes: [Mode]) {
        precondition(!modes.isEmpty, "a mode")
        self.modes = modes
    }

    /// The vector of a sequence.
    ///
    /// - Parameters:
    ///   - rows: The sequence, at least one row.
    ///   - hidden: The last hidden states of a batch.
    ///   - channels: The channels that count, ascending; nil for all.
    /// - Returns: A value for each channel and mode.
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
