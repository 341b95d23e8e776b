public import Tensors
public import Transformers

/// Inputs and target outputs of a block.
public struct Examples: Sendable {
    /// Shape `[tokens, hidden]`.
    public var inputs: Activations
    /// Shape `[tokens, hidden]`.
    public var targets: Activations

    /// Creates examples with the same number of inputs and targets.
    public init(inputs: Activations, targets: Activations) {
        precondition(inputs.rows == targets.rows, "each input needs a target")
        self.inputs = inputs
        self.targets = targets
    }

    func selecting(rows: some Collection<Int>, on engine: Engine) -> Examples {
        var (some, same) = (Activations(), Activations())
        engine.select(inputs, rows: rows, into: &some)
        engine.select(targets, rows: rows, into: &same)
        return Examples(inputs: some, targets: same)
    }
}

/// Fits all weights of a feed-forward block to examples with gradient descent on the squared error.
///
/// Let x be the inputs, W the gate projection stacked on the up projection (or only the up
/// projection), D the down projection, `z = x·Wᵀ`, `h = f(z)`, and e the error of `h·Dᵀ`. The
/// gradients are `eᵀ·h` for D and `f′(z; e·D)ᵀ·x` for W.
struct FeedForwardDescent {
    /// W, and its gradient.
    private(set) var first: TrainableLinear
    /// D, and its gradient.
    private(set) var down: TrainableLinear
    /// The error e of the last examples.
    private(set) var error = Activations()
    /// The gradient with respect to z.
    private(set) var slope = Activations()

    private let function: Epilogue
    private let engine: Engine
    private let isGated: Bool
    /// The root mean squares of the initial weights, by which the rate is multiplied.
    private let scales: (first: Float, down: Float)
    private var raw = Activations()
    private var active = Activations()
    private var activeGradient = Activations()

    init(_ block: FeedForwardWeights, function: Epilogue, engine: Engine) {
        self.function = function
        self.engine = engine
        isGated = block.gate != nil
        let arena = Arena(regionFloats: 1 << 16)
        let joined = block.joined
        first = TrainableLinear(joined, in: arena)
        down = TrainableLinear(block.down, in: arena)
        scales = (
            joined.weight.rootMeanSquare(on: engine.pool),
            block.down.weight.rootMeanSquare(on: engine.pool)
        )
    }

    /// The current weights.
    var weights: FeedForwardWeights {
        FeedForwardWeights(joined: first.projection, isGated: isGated, down: down.projection)
    }

    /// Computes the squared error, summed over examples and outputs.
    mutating func squaredError(on examples: Examples) -> Double {
        run(on: examples)
        return engine.squareSum(error)
    }

    /// Computes the error of the block's output in `error`.
    private mutating func run(on examples: Examples) {
        first.apply(to: examples.inputs, into: &raw, on: engine)
        engine.activate(raw, function, into: &active)
        down.apply(to: active, into: &error, on: engine)
        error.add(examples.targets, times: -1)
    }

    /// Computes the gradients of half the squared error.
    mutating func differentiate(on examples: Examples) {
        run(on: examples)
        first.visit("") { [engine] in $1.clearGradient(on: engine.pool) }
        down.visit("") { [engine] in $1.clearGradient(on: engine.pool) }
        down.gather(error, inputs: active, on: engine)
        down.gradientByInputs(error, into: &activeGradient, on: engine)
        engine.differentiate(raw, function, gradient: activeGradient, into: &slope)
        first.gather(slope, inputs: examples.inputs, on: engine)
    }

    /// Takes one step.
    ///
    /// The rate is multiplied by the root mean square of the initial weights.
    mutating func step(on examples: Examples, rate: Float) {
        differentiate(on: examples)
        let pool = engine.pool
        first.visit("") { [scales] in $1.step(rate: rate * scales.first, pool: pool) }
        down.visit("") { [scales] in $1.step(rate: rate * scales.down, pool: pool) }
        first.pack()
        down.pack()
    }
}

extension Matrix<Float> {
    fileprivate func rootMeanSquare(on pool: ThreadPool) -> Float {
        Float((squareSum(on: pool) / Double(max(elements.count, 1))).squareRoot())
    }
}

extension FeedForwardWeights {
    /// Fits the weights in passes over examples in random order.
    ///
    /// The rate falls to 0 along half a cosine wave.
    ///
    /// A sixteenth of the examples is held out. If the error on the held-out examples does not
    /// fall, the next rate is used. If it does not fall with any rate, the weights do not change.
    ///
    /// - Parameters:
    ///   - examples: Inputs and targets.
    ///   - function: The activation function of the block.
    ///   - passes: The number of times that each example is used.
    ///   - rates: The initial learning rates that are tried, as fractions of the weights' root mean
    ///     square.
    ///   - seed: The seed of the order.
    ///   - engine: The engine.
    ///   - check: Called before each step. It can throw an error to stop.
    /// - Returns: The fitted weights.
    /// - Throws: Any error that `check` throws.
    /// - Complexity: O(passes · examples). A step costs about 7/3 of the block's forward pass.
    public func fitted(
        to examples: Examples, function: Epilogue, passes: Int, rates: [Float] = [0.03, 0.003],
        seed: UInt64, engine: Engine, check: () throws -> Void = {}
    ) throws -> FeedForwardWeights {
        var random = SplitMix64(seed: seed)
        var order = (0..<examples.inputs.rows).shuffled(using: &random)
        let heldOut = examples.selecting(rows: Array(order.prefix(order.count / 16)), on: engine)
        order.removeFirst(order.count / 16)
        let steps = min(max(order.count / 1536, 16), order.count)
        for rate in rates {
            var descent = FeedForwardDescent(self, function: function, engine: engine)
            let before = descent.squaredError(on: heldOut)
            try ShuffledPasses(passes: passes, steps: steps).run(
                over: &order, using: &random
            ) { rows, left in
                try check()
                descent.step(on: examples.selecting(rows: rows, on: engine), rate: rate * left)
            }
            if descent.squaredError(on: heldOut) < before { return descent.weights }
        }
        return self
    }
}
