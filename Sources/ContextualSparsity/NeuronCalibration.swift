internal import Tensors
internal import Training
public import Transformers

/// The method that selects the neurons that a token needs.
public enum NeuronChoice: Hashable, Sendable, CustomStringConvertible {
    /// By value: all neurons are computed, and neurons with small values are not added.
    case computed
    /// By scores that are computed with the block's weights in 4 bits.
    case coarse
    /// By the output of their gates, which is computed for all neurons.
    case gate
    /// By a trained low-rank predictor of this rank.
    case lowRank(Int)
    /// By a low-rank predictor that reads the inputs of the previous layer's block of the same
    /// kind.
    case lookAhead(Int)

    /// A description such as `low rank 64`.
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
    /// Whether scores estimate the values of neurons.
    ///
    /// Such scores are multiplied by the norms of columns.
    fileprivate var scoresValues: Bool { self == .coarse || self == .gate }
    /// The rank of a trained predictor; nil for other methods.
    var rank: Int? {
        switch self {
        case .lowRank(let rank), .lookAhead(let rank): rank
        default: nil
        }
    }
    /// Whether the predictor reads the inputs of the previous layer's block.
    var looksAhead: Bool { if case .lookAhead = self { true } else { false } }
}

/// The effect of computing only some neurons of one feed-forward block for each token.
///
/// It is measured on text for each method and each density.
///
/// The density is the share of neurons that is selected.
public struct NeuronCalibration: Sendable {
    /// The thresholds of one density, and their effect on each neuron.
    public struct Level: Sendable, Equatable {
        /// A computed neuron is added if its contribution exceeds this threshold.
        let contribution: Float
        /// A neuron is computed if its score exceeds this threshold.
        let score: Float
        /// The effect on each neuron.
        let neurons: [Neuron]
        /// The number of weight rows of one neuron: 3 with a gate, otherwise 2.
        let parts: Int

        /// The effect on one neuron.
        struct Neuron: Equatable {
            /// The share of tokens for which it is computed.
            var computed: Float = 0
            /// The share of tokens for which its value is added.
            var added: Float = 0
            /// Its lost squared contributions, as a share of the squared contributions of all
            /// neurons.
            var lost: Float = 0
        }

        /// The effect on all neurons together.
        public var total: Totals { totals(of: Array(neurons.indices)) }

        /// The effect on some neurons together, as shares of the whole block.
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

        /// Whether any neuron is left out.
        var isPartial: Bool { contribution >= 0 }
    }

    /// The effect of a level on a block.
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

    /// Finds thresholds and trains predictors.
    ///
    /// - Parameters:
    ///   - block: The feed-forward block.
    ///   - activation: The activation function of its neurons.
    ///   - inputs: The inputs of the block, `[tokens, hidden]`.
    ///   - earlier: The inputs of the feed-forward block in the previous layer; nil for the first
    ///     layer.
    ///   - values: The values of the block's neurons, `[tokens, neurons]`.
    ///   - choices: The methods to calibrate.
    ///   - densities: The densities to calibrate.
    ///   - engine: The engine to run on.
    ///   - check: Called repeatedly; may throw an error to stop.
    /// - Throws: The errors of `check`.
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
                method = .coarse(fineInputs: inputs.topColumns(CoarseWeights.fineCount))
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

    /// Returns the thresholds and the effect of a density; nil if the density was not calibrated.
    public func level(_ choice: NeuronChoice, density: Double) -> Level? {
        levels[choice]?[density]
    }

    /// Returns the thresholds and the predictor of a density; nil if the density was not calibrated
    /// or no neuron is left out.
    public func neurons(_ choice: NeuronChoice, density: Double) -> ContextualPlan.Neurons? {
        level(choice, density: density).flatMap { level in
            guard level.isPartial else { return nil }
            let thresholds = Self.sizes(contributing: level.contribution, norms)
            let scores =
                choice.scoresValues
                ? Self.sizes(contributing: level.score, norms)
                : thresholds.map { _ in level.score }
            return ContextualPlan.Neurons(
                thresholds: thresholds,
                predictor: methods[choice].map {
                    ContextualPlan.Predictor($0, above: scores, looksAhead: choice.looksAhead)
                })
        }
    }

    /// Returns the calibrated density whose share of computed neurons is nearest to a given share.
    public func density(_ choice: NeuronChoice, computing computed: Double) -> Double? {
        levels[choice]?.min {
            let (a, b) = (
                abs($0.value.total.computed - computed), abs($1.value.total.computed - computed)
            )
            return (a, $0.key) < (b, $1.key)
        }?.key
    }

    /// Returns the absolute value at which each neuron has a given contribution.
    static func sizes(contributing contribution: Float, _ norms: [Float]) -> [Float] {
        norms.map { $0 > 0 ? contribution / $0 : .greatestFiniteMagnitude }
    }
}

extension Activations {
    /// The indices of the columns with the greatest sums of squares, ascending.
    func topColumns(_ count: Int) -> [Int] {
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
