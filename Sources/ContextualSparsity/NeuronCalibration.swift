internal import Tensors
internal import Training
public import Transformers

/// How the neurons that a token needs are told from the others.
public enum NeuronChoice: Hashable, Sendable, CustomStringConvertible {
    /// By their values, when all are computed: what they add is left out.
    case computed
    /// By their weights in 4 bits.
    case coarse
    /// By what their gate lets through, which is computed of all.
    case gate
    /// By a trained product of such a rank.
    case lowRank(Int)
    /// The same of what enters the layer before.
    case lookAhead(Int)

    /// Such as `low rank 64`.
    public var description: String {
        switch self {
        case .computed: "by value"
        case .coarse: "in 4 bits"
        case .gate: "by the gate"
        case .lowRank(let rank): "low rank \(rank)"
        case .lookAhead(let rank): "low rank \(rank), ahead"
        }
    }
}

extension NeuronChoice {
    /// Whether scores are of what neurons give, and count as much as these contribute.
    fileprivate var scoresValues: Bool { self == .coarse || self == .gate }
    /// The rank of a trained predictor.
    var rank: Int? {
        switch self {
        case .lowRank(let rank), .lookAhead(let rank): rank
        default: nil
        }
    }
    /// Whether it scores by what enters the layer before.
    var looksAhead: Bool { if case .lookAhead = self { true } else { false } }
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

    private let norms: [Float]
    private let methods: [NeuronChoice: ContextualPlan.Predictor.Method]
    private var levels: [NeuronChoice: [Double: Level]] = [:]

    /// Finds thresholds, and trains predictors.
    ///
    /// - Parameters:
    ///   - block: The feed-forward block.
    ///   - activation: What makes values of its neurons.
    ///   - inputs: What enters it, `[tokens, hidden]`.
    ///   - earlier: What enters that of the layer before; nil for the first.
    ///   - values: What its neurons give, `[tokens, neurons]`.
    ///   - choices: The ways to tell neurons.
    ///   - densities: The shares of neurons that are to count.
    ///   - engine: What to run on.
    ///   - check: Called now and then; may throw to stop.
    /// - Throws: What `check` throws.
    init(
        of block: FeedForwardWeights, activation: Epilogue, inputs: Activations,
        earlier: Activations?, values: Activations, choices: [NeuronChoice], densities: [Double],
        engine: Engine, check: () throws -> Void
    ) throws {
        norms = UnitScores.columnNorms(block.down.weight)
        let tokens = Tokens(count: inputs.rows)
        let parts = block.gate == nil ? 2 : 3
        let contributions = Contributions(
            engine.selecting(rows: tokens.sample, of: values), norms, parts: parts)
        let limits = contributions.limits(densities: densities)
        var methods: [NeuronChoice: ContextualPlan.Predictor.Method] = [:]
        for choice in choices {
            let method: ContextualPlan.Predictor.Method
            var source = inputs
            switch choice {
            case .computed:
                levels[choice] = limits.mapValues { contributions.level(above: $0) }
                continue
            case .coarse:
                method = .coarse(fineInputs: inputs.greatestColumns(CoarseWeights.fineCount))
            case .gate:
                guard block.gate != nil else { continue }
                method = .gate
            case .lowRank(let rank), .lookAhead(let rank):
                if choice.looksAhead {
                    guard let earlier else { continue }
                    source = earlier
                }
                method = try tokens.fitted(
                    to: source, values, above: Self.sizes(contributing: limits.middle, norms),
                    rank: rank, engine: engine, check: check)
            }
            methods[choice] = method
            try check()
            let nothing = [Float](repeating: 0, count: norms.count)
            let predictor = NeuronPredictor(
                ContextualPlan.Predictor(method, above: nothing), of: block, activation,
                precision: .f32)
            var scores = Activations()
            engine.predict(
                engine.selecting(rows: tokens.sample, of: source), predictor, into: &scores)
            if choice.scoresValues { scores.scale(columns: norms) }
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
                choice.scoresValues
                ? Self.sizes(contributing: level.score, norms)
                : least.map { _ in level.score }
            return ContextualPlan.Neurons(
                least: least,
                predictor: methods[choice].map {
                    ContextualPlan.Predictor($0, above: scores, looksAhead: choice.looksAhead)
                })
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
