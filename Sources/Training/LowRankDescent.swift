public import Tensors
internal import Transformers

/// A predictor of the neurons that a token needs, from the inputs of a feed-forward block:
/// `up · (down · x)` is positive for needed neurons.
///
/// The predictor has two linear layers, without biases and without an activation function. They are
/// fitted with binary cross-entropy. The weight of a needed neuron is 1. The weight of any other
/// neuron is the fraction of needed neurons plus 0.005.
///
/// Source: Liu et al., "Deja Vu", arXiv 2310.17157, section 4 and appendix.
public struct LowRankPredictor: Sendable, Equatable {
    /// Shape `[rank, inputs]`.
    public let down: Matrix<Float>
    /// Shape `[neurons, rank]`.
    public let up: Matrix<Float>

    /// Fits a predictor.
    ///
    /// - Parameters:
    ///   - inputs: The inputs of the block, `[tokens, inputs]`.
    ///   - values: The values of the block's neurons, `[tokens, neurons]`.
    ///   - thresholds: The threshold of each neuron. The neuron is needed if its magnitude is
    ///     greater.
    ///   - rank: The rank of the product.
    ///   - passes: The number of times that each token is used.
    ///   - seed: The seed of the initial weights and of the order.
    ///   - engine: The engine.
    ///   - check: Called before each step. It can throw an error to stop.
    /// - Throws: Any error that `check` throws.
    /// - Complexity: O(passes · tokens · rank · (inputs + neurons))
    public init(
        fittedTo inputs: Activations, values: Activations, above thresholds: [Float], rank: Int,
        passes: Int, seed: UInt64, engine: Engine, check: () throws -> Void = {}
    ) throws {
        var descent = LowRankDescent(
            inputs: inputs.columns, neurons: values.columns, rank: rank, seed: seed, engine: engine)
        let share = values.share(above: thresholds)
        var random = SplitMix64(seed: seed)
        var order = Array(0..<inputs.rows)
        let steps = (order.count + LowRankDescent.batch - 1) / LowRankDescent.batch
        var (x, y) = (Activations(), Activations())
        try ShuffledPasses(passes: passes, steps: steps).run(
            over: &order, using: &random
        ) { rows, left in
            try check()
            engine.select(inputs, rows: rows, into: &x)
            engine.select(values, rows: rows, into: &y)
            descent.step(
                x, y, above: thresholds, negativeWeight: Float(share) + 0.005, rate: 1e-2 * left)
        }
        (down, up) = descent.weights
    }
}

/// The two layers during training.
struct LowRankDescent {
    /// The number of tokens in a step.
    static let batch = 256

    private(set) var down: TrainableLinear
    private(set) var up: TrainableLinear
    private let engine: Engine
    private var hidden = Activations()
    private var logits = Activations()
    private var hiddenGradient = Activations()

    init(inputs: Int, neurons: Int, rank: Int, seed: UInt64, engine: Engine) {
        let arena = Arena(regionFloats: 1 << 16)
        func linear(_ rows: Int, _ columns: Int, _ seed: UInt64) -> TrainableLinear {
            TrainableLinear(
                Projection(weight: Matrix(randomRows: rows, columns: columns, seed: seed)),
                in: arena)
        }
        (down, up) = (linear(rank, inputs, seed), linear(neurons, rank, seed &+ 1))
        self.engine = engine
    }

    /// The current weights.
    var weights: (down: Matrix<Float>, up: Matrix<Float>) {
        (down.projection.weight, up.projection.weight)
    }

    /// Computes the mean over tokens of the weighted cross-entropy, and its gradients.
    @discardableResult
    mutating func differentiate(
        _ x: Activations, _ values: Activations, above thresholds: [Float], negativeWeight: Float
    ) -> Double {
        down.apply(to: x, into: &hidden, on: engine)
        up.apply(to: hidden, into: &logits, on: engine)
        let loss = engine.differentiateBinaryCrossEntropy(
            &logits, of: values, above: thresholds, negativeWeight: negativeWeight)
        down.visit("") { [engine] in $1.clearGradient(on: engine.pool) }
        up.visit("") { [engine] in $1.clearGradient(on: engine.pool) }
        up.gather(logits, inputs: hidden, on: engine)
        up.gradientByInputs(logits, into: &hiddenGradient, on: engine)
        down.gather(hiddenGradient, inputs: x, on: engine)
        return loss
    }

    /// Takes one step of Adam.
    mutating func step(
        _ x: Activations, _ values: Activations, above thresholds: [Float], negativeWeight: Float,
        rate: Float
    ) {
        differentiate(x, values, above: thresholds, negativeWeight: negativeWeight)
        let pool = engine.pool
        down.visit("") { $1.step(rate: rate, decay: 0.01, pool: pool) }
        up.visit("") { $1.step(rate: rate, decay: 0.01, pool: pool) }
        down.pack()
        up.pack()
    }
}
