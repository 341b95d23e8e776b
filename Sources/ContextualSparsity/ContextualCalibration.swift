public import Tensors
public import Transformers

/// What plans of a decoder are made from: how far coarse scores of words are off, and how much
/// neurons contribute, over text.
public struct ContextualCalibration: Sendable {
    /// The share of words of the text for which the margin is enough: more would cost time for words
    /// that hardly come.
    public static let certainty = 0.9997

    /// The margin for coarse scores of words.
    public let headMargin: Float
    /// The channels of the last hidden state that are greatest, for coarse scores to take in 8 bits.
    public let headInputs: [Int]
    private let thresholds: [Double: [[Float]?]]
    private let layers: Int

    /// Runs a decoder over text.
    ///
    /// - Parameters:
    ///   - model: The decoder, packed.
    ///   - source: Where its weights came from.
    ///   - windows: Token windows, at least one.
    ///   - densities: The shares of neurons that plans are wanted for.
    ///   - engine: What to run on.
    ///   - progress: Called after each window with the windows done; may throw to stop.
    /// - Throws: What reading weights and `progress` throw.
    public init(
        of model: Model, source: some WeightSource, windows: [[Int32]], densities: [Double],
        engine: Engine, progress: (Int) throws -> Void = { _ in }
    ) throws {
        let scores = try UnitScores(source)
        let statistics = ScoreStatistics(scores)
        var pass = ForwardPass(model, on: engine)
        pass.observer = statistics
        var (head, margins): (CoarseWeights?, [Float]) = (nil, [])
        for (index, window) in windows.enumerated() {
            let states = pass.hiddenStates(of: TokenBatch([window]))
            let coarse =
                try head
                ?? Model.coarseHead(
                    of: source, fineInputs: states.greatestColumns(CoarseWeights.fineCount))
            head = coarse
            var part = Activations()
            for first in stride(from: 0, to: states.rows, by: 64) {
                engine.select(states, rows: first..<min(first + 64, states.rows), into: &part)
                margins += model.headMargins(of: part, coarse: coarse, on: engine)
            }
            try progress(index + 1)
        }
        headInputs = head?.fineInputs ?? []
        layers = model.shape.layers.count
        margins.sort()
        headMargin =
            margins.isEmpty ? 0 : margins[Int(Self.certainty * Double(margins.count - 1))]
        thresholds = statistics.thresholds(densities: densities).mapValues { found in
            model.shape.layers.indices.map { layer in
                let component = Component(layer: layer, kind: .feedForward)
                return found[component].flatMap { $0 < 0 ? nil : $0 }.map {
                    scores.inputs(of: component, contributing: $0)
                }
            }
        }
    }

    /// A plan.
    ///
    /// - Parameters:
    ///   - density: The share of neurons that are to count, one of those calibrated for; all where
    ///     it is nil.
    ///   - screensHead: Whether words are looked at coarsely first.
    /// - Returns: The plan.
    public func plan(density: Double?, screensHead: Bool) -> ContextualPlan {
        ContextualPlan(
            headMargin: screensHead ? headMargin : nil, headInputs: screensHead ? headInputs : [],
            thresholds: density.flatMap { thresholds[$0] } ?? (0..<layers).map { _ in nil })
    }

    /// The share of words that a model which looks coarsely first chooses as it would by exact scores.
    ///
    /// - Parameters:
    ///   - model: The model, with its plan.
    ///   - windows: Token windows, at least one.
    ///   - engine: What to run on.
    ///   - progress: Called after each window; may throw to stop.
    /// - Returns: From 0 to 1, and over how many words.
    /// - Throws: What `progress` throws.
    public static func sameWords(
        of model: Model, on windows: [[Int32]], engine: Engine, progress: () throws -> Void = {}
    ) throws -> (share: Double, words: Int) {
        var exact = ForwardPass(model, on: engine)
        var greedy = ForwardPass(model, on: engine)
        greedy.isGreedy = true
        var (same, words) = (0, 0)
        for window in windows {
            let states = exact.hiddenStates(of: TokenBatch([window]))
            var chosen: [Int] = []
            exact.logits(from: states) { _, logits in chosen += engine.largestColumn(logits) }
            greedy.logits(from: states) { rows, logits in
                same += zip(engine.largestColumn(logits), chosen[rows]).count { $0 == $1 }
            }
            words += chosen.count
            try progress()
        }
        return (Double(same) / Double(words), words)
    }
}

extension Activations {
    /// The columns of the greatest sums of squares, ascending.
    fileprivate func greatestColumns(_ count: Int) -> [Int] {
        var squares = [Double](repeating: 0, count: columns)
        for row in 0..<rows {
            for column in 0..<columns {
                squares[column] += Double(self[row, column]) * Double(self[row, column])
            }
        }
        return squares.indices.sorted { (squares[$0], $1) > (squares[$1], $0) }.prefix(count)
            .sorted()
    }
}
