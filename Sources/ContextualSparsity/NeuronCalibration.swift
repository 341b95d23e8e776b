internal import Tensors
internal import Training
public import Transformers

/// How the neurons that a token needs are told from the others.
public enum NeuronChoice: Hashable, Sendable, CustomStringConvertible {
    /// By their values, when all are computed: what they add is left out.
    case computed
    /// By their weights in 4 bits.
    case coarse
    /// By a trained product of such a rank.
    case lowRank(Int)

    /// Such as `low rank 64`.
    public var description: String {
        switch self {
        case .computed: "by value"
        case .coarse: "in 4 bits"
        case .lowRank(let rank): "low rank \(rank)"
        }
    }
}

/// What leaving out neurons of one feed-forward block comes to, over text, for each way to tell them
/// and each share that is to count.
public struct NeuronCalibration: Sendable {
    /// What one share comes to.
    public struct Level: Sendable, Equatable {
        /// The contribution above which neurons count.
        let contribution: Float
        /// The score above which they are computed.
        let score: Float
        /// Of every neuron the share of tokens for which it is computed, for which its value is added,
        /// and what is lost of the squared contributions of all.
        let neurons: [Neuron]
        /// The rows of weights of a neuron.
        let parts: Int

        struct Neuron: Equatable {
            var computed: Float = 0
            var added: Float = 0
            var lost: Float = 0
        }

        /// What the level comes to over all neurons.
        public var total: Totals { totals(of: Array(neurons.indices)) }

        /// What the level comes to over some neurons, as shares of all.
        func totals(of kept: [Int]) -> Totals {
            var totals = Totals()
            let count = Double(neurons.count)
            for neuron in kept {
                let neuron = neurons[neuron]
                let (computed, added) = (Double(neuron.computed), Double(neuron.added))
                totals.computed += computed / count
                totals.lost += Double(neuron.lost)
                totals.volume += (Double(parts - 1) * computed + added) / Double(parts) / count
            }
            return totals
        }

        /// Whether anything is left out.
        var isPartial: Bool { contribution >= 0 }
    }

    /// What a level comes to.
    public struct Totals: Sendable, Equatable {
        /// The share of neurons that is computed.
        public var computed = 0.0
        /// The share of the squared contributions that is lost.
        public var lost = 0.0
        /// The share of the block's weights that is read.
        public var volume = 0.0
    }

    /// Of how many tokens one serves to find thresholds; the others train predictors.
    static let stride = 8
    private let norms: [Float]
    private let methods: [NeuronChoice: ContextualPlan.Predictor.Method]
    private var levels: [NeuronChoice: [Double: Level]] = [:]

    /// Finds thresholds, and trains predictors.
    ///
    /// - Parameters:
    ///   - block: The feed-forward block.
    ///   - activation: What makes values of its neurons.
    ///   - inputs: What enters it, `[tokens, hidden]`.
    ///   - values: What its neurons give, `[tokens, neurons]`.
    ///   - choices: The ways to tell neurons.
    ///   - densities: The shares of neurons that are to count.
    ///   - engine: What to run on.
    ///   - check: Called now and then; may throw to stop.
    /// - Throws: What `check` throws.
    init(
        of block: FeedForwardWeights, activation: Epilogue, inputs: Activations,
        values: Activations, choices: [NeuronChoice], densities: [Double], engine: Engine,
        check: () throws -> Void
    ) throws {
        norms = UnitScores.columnNorms(block.down.weight)
        let few = Array(Swift.stride(from: 0, to: inputs.rows, by: Self.stride))
        let sample = engine.selecting(rows: few, of: inputs)
        let parts = block.gate == nil ? 2 : 3
        let contributions = Contributions(
            engine.selecting(rows: few, of: values), norms, parts: parts)
        let limits = contributions.limits(densities: densities)
        var methods: [NeuronChoice: ContextualPlan.Predictor.Method] = [:]
        for choice in choices {
            let method: ContextualPlan.Predictor.Method
            switch choice {
            case .computed:
                levels[choice] = limits.mapValues { contributions.level(above: $0) }
                continue
            case .coarse:
                method = .coarse(fineInputs: inputs.greatestColumns(CoarseWeights.fineCount))
            case .lowRank(let rank):
                let rest =
                    inputs.rows > Self.stride
                    ? (0..<inputs.rows).filter { $0 % Self.stride != 0 } : few
                // Of the shares that are asked for, one in the middle: scores rank neurons.
                let middle = limits.values.sorted()[limits.count / 2]
                let found = try LowRankPredictor(
                    fittedTo: engine.selecting(rows: rest, of: inputs),
                    values: engine.selecting(rows: rest, of: values),
                    above: Self.sizes(contributing: middle, norms), rank: rank, passes: 30,
                    seed: 1, engine: engine, check: check)
                method = .lowRank(down: found.down, up: found.up)
            }
            methods[choice] = method
            try check()
            let nothing = [Float](repeating: 0, count: norms.count)
            let predictor = NeuronPredictor(
                ContextualPlan.Predictor(method, above: nothing), of: block, activation)
            var scores = Activations()
            engine.predict(sample, predictor, into: &scores)
            if choice == .coarse { scores.scale(columns: norms) }
            levels[choice] = contributions.levels(limits, scores: scores)
        }
        self.methods = methods
    }

    /// What a share of neurons comes to; nil where it was not asked for.
    public func level(_ choice: NeuronChoice, density: Double) -> Level? {
        levels[choice]?[density]
    }

    /// The part of a plan that lets a share of neurons count; nil where that is all, or was not asked
    /// for.
    public func neurons(_ choice: NeuronChoice, density: Double) -> ContextualPlan.Neurons? {
        level(choice, density: density).flatMap { level in
            guard level.isPartial else { return nil }
            let least = Self.sizes(contributing: level.contribution, norms)
            let scores =
                choice == .coarse
                ? Self.sizes(contributing: level.score, norms)
                : least.map { _ in level.score }
            return ContextualPlan.Neurons(
                least: least,
                predictor: methods[choice].map { ContextualPlan.Predictor($0, above: scores) })
        }
    }

    /// The share, of those calibrated for, that comes nearest to computing a share of neurons.
    public func density(_ choice: NeuronChoice, computing computed: Double) -> Double? {
        levels[choice]?.min {
            let (a, b) = (
                abs($0.value.total.computed - computed), abs($1.value.total.computed - computed)
            )
            return (a, $0.key) < (b, $1.key)
        }?.key
    }

    /// The sizes of values of neurons that contribute so much.
    static func sizes(contributing contribution: Float, _ norms: [Float]) -> [Float] {
        norms.map { $0 > 0 ? contribution / $0 : .greatestFiniteMagnitude }
    }
}

/// How much each neuron contributes to each of some tokens.
private struct Contributions {
    private let values: Activations
    /// The rows of weights of a neuron.
    private let parts: Int

    init(_ values: Activations, _ norms: [Float], parts: Int) {
        self.parts = parts
        var values = values
        values.scale(columns: norms)
        values.dropSigns()
        self.values = values
    }

    /// For each share of neurons the contribution that so many are above, over tokens and neurons
    /// together.
    func limits(densities: [Double]) -> [Double: Float] {
        let sorted = values.matrix.elements.sorted(by: >)
        let found = densities.map { density -> Float in
            let place = Int((density * Double(sorted.count)).rounded())
            guard place < sorted.count else { return -1 }
            // Between two, so that no rounding decides about either.
            return (sorted[place] + sorted[max(0, place - 1)]) / 2
        }
        return Dictionary(zip(densities, found)) { first, _ in first }
    }

    /// What is left where all are computed, and those at most `limit` not added.
    func level(above limit: Float) -> NeuronCalibration.Level {
        level(above: limit, scores: nil, score: -.infinity)
    }

    /// What is left where those are computed that have the highest scores, for each share of them.
    ///
    /// A neuron that is not computed saves all rows of its weights, one that is computed but not added
    /// the last row alone: that is worth a loss as many times smaller. So what is added must contribute
    /// more than the root of the mean squared contribution, over the number of rows, of neurons whose
    /// scores are about the least.
    func levels(
        _ limits: [Double: Float], scores: Activations
    ) -> [Double: NeuronCalibration.Level] {
        let count = values.rows * values.columns
        let step = max(1, count / Self.enough)
        let ranked = Swift.stride(from: 0, to: count, by: step).map { place in
            let (row, column) = place.quotientAndRemainder(dividingBy: values.columns)
            return (score: scores[row, column], value: Double(values[row, column]))
        }.sorted { $0.score > $1.score }
        return Dictionary(
            uniqueKeysWithValues: limits.map { density, limit in
                let place = Int((density * Double(ranked.count)).rounded())
                guard place < ranked.count, limit >= 0 else { return (density, level(above: -1)) }
                let near = ranked[
                    max(
                        0, place - ranked.count / 50)..<min(
                            ranked.count, place + ranked.count / 50 + 1)]
                let square = near.reduce(0) { $0 + $1.value * $1.value } / Double(near.count)
                return (
                    density,
                    level(
                        above: Float((square / Double(parts)).squareRoot()), scores: scores,
                        score: ranked[place].score)
                )
            })
    }

    /// How many neurons of tokens are enough to rank.
    private static let enough = 200_000

    private func level(
        above limit: Float, scores: Activations?, score: Float
    ) -> NeuronCalibration.Level {
        var neurons = [NeuronCalibration.Level.Neuron](repeating: .init(), count: values.columns)
        var total = 0.0
        for row in 0..<values.rows {
            for column in 0..<values.columns {
                let value = values[row, column]
                total += Double(value) * Double(value)
                let isComputed = scores.map { $0[row, column] > score } ?? true
                let isAdded = isComputed && value > limit
                neurons[column].computed += isComputed ? 1 : 0
                neurons[column].added += isAdded ? 1 : 0
                neurons[column].lost += isAdded ? 0 : value * value
            }
        }
        let (share, part) = (1 / Float(max(1, values.rows)), total > 0 ? Float(1 / total) : 0)
        for column in neurons.indices {
            neurons[column].computed *= share
            neurons[column].added *= share
            neurons[column].lost *= part
        }
        return NeuronCalibration.Level(
            contribution: limit, score: score, neurons: neurons, parts: parts)
    }
}

extension Activations {
    /// The columns of the greatest sums of squares, ascending.
    func greatestColumns(_ count: Int) -> [Int] {
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
