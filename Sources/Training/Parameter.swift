public import Tensors
internal import Transformers

/// Trainable weights: their values, their accumulated gradient, and Adam's moments.
public struct Parameter: Sendable {
    /// Shape `[outputs, inputs]`, or one row for a vector.
    public internal(set) var values: Matrix<Float>
    /// The gradient with respect to the values.
    public internal(set) var gradient: Matrix<Float>
    /// Whether it has weight decay: true for matrices, false for biases and norms.
    public let decays: Bool
    /// Whether the values are frozen.
    ///
    /// Frozen values do not change in a step, and no gradient is accumulated for them.
    var isFrozen = false

    var adam: Adam

    /// Creates a parameter from weights, without a gradient.
    init(_ values: Matrix<Float>, decays: Bool = true) {
        self.values = values
        self.decays = decays
        gradient = Matrix(rows: values.rows, columns: values.columns)
        adam = Adam(count: values.elements.count)
    }

    /// Creates a parameter from a vector.
    init(_ vector: [Float]) {
        self.init(Matrix(rows: 1, columns: vector.count, elements: vector), decays: false)
    }

    /// Takes one step of Adam against the gradient, and clears the gradient.
    ///
    /// - Parameters:
    ///   - rate: The learning rate: the step of a weight whose gradient is constant.
    ///   - gradientShare: The factor of the gradient.
    ///   - decay: The weight decay, if the parameter has it: weights are multiplied by
    ///     1 - rate · decay.
    ///   - pool: The threads to use.
    mutating func step(
        rate: Float, gradientShare: Float = 1, decay: Float = 0, pool: ThreadPool
    ) {
        guard !isFrozen else { return }
        adam.step(
            &values.elements, against: &gradient.elements, rate: rate,
            gradientShare: gradientShare, decay: decays ? decay : 0, pool: pool)
    }

    /// Clears the gradient.
    mutating func clearGradient(on pool: ThreadPool) {
        let count = gradient.elements.count
        withPointers(writing: &gradient.elements) { gradient in
            pool.split(count) { range, _ in
                (gradient + range.lowerBound).update(repeating: 0, count: range.count)
            }
        }
    }
}

extension Matrix<Float> {
    /// The sum of the squares of all elements.
    ///
    /// The result does not depend on the number of threads.
    func squareSum(on pool: ThreadPool) -> Double {
        pool.squareSum(of: elements, first: elements.count)
    }
}

/// A trainable linear layer.
///
/// Its weights are stored in f32. Packed copies are used in forward and backward products.
struct TrainableLinear: Sendable {
    var weight: Parameter
    var bias: Parameter?
    private var packed: PackedWeights
    private var transposed: PackedWeights

    /// Creates a trainable layer with products in any precision but `int8`.
    init(_ projection: Projection, precision: Precision = .f32, in arena: Arena) {
        weight = Parameter(projection.weight)
        bias = projection.bias.map { Parameter($0) }
        packed = PackedWeights(
            projection.weight, bias: projection.bias, precision: precision, in: arena)
        transposed = PackedWeights(
            transposing: projection.weight, precision: precision, in: arena)
    }

    /// The precision of the products.
    var precision: Precision { packed.precision }

    /// The current weights.
    var projection: Projection {
        Projection(weight: weight.values, bias: bias?.values.elements)
    }

    /// Calls `body` with every parameter, always in the same order.
    mutating func visit(
        _ name: String, _ body: (String, inout Parameter) throws -> Void
    ) rethrows {
        try body(name + ".weight", &weight)
        if bias != nil { try body(name + ".bias", &bias!) }
    }

    /// Computes `y = x · Wᵀ + b`, or `y += x · Wᵀ + b`.
    func apply(
        to x: Activations, into y: inout Activations, adding: Bool = false, on engine: Engine
    ) {
        if !adding { y.reshape(rows: x.rows, columns: weight.values.rows) }
        engine.linear(x, packed, into: &y, adding ? .add : .store)
    }

    /// Adds the gradients of weight and bias, from the gradient with respect to the outputs.
    mutating func gather(_ gradient: Activations, inputs x: Activations, on engine: Engine) {
        if !weight.isFrozen {
            engine.transposedProduct(
                gradient, x, into: &weight.gradient, adding: true, precision: precision)
        }
        guard bias != nil else { return }
        for (column, sum) in engine.columnSums(gradient).enumerated() {
            bias?.gradient.elements[column] += sum
        }
    }

    /// Computes the gradient with respect to the inputs, `dx = dy · W`.
    func gradientByInputs(_ gradient: Activations, into x: inout Activations, on engine: Engine) {
        x.reshape(rows: gradient.rows, columns: weight.values.columns)
        gradientByInputs(gradient, into: &x, firstRow: 0, on: engine)
    }

    /// Computes the gradient with respect to the inputs, in the rows of x that start at `firstRow`.
    func gradientByInputs(
        _ gradient: Activations, into x: inout Activations, firstRow: Int, on engine: Engine
    ) {
        engine.linear(gradient, transposed, into: &x, firstRow: firstRow)
    }

    /// Packs changed weights for products.
    mutating func pack() {
        guard changes else { return }
        packed.refill(weight.values, bias: bias?.values.elements)
        transposed.refill(transposing: weight.values)
    }

    /// Packs changed weights for products, on two threads.
    mutating func pack(on pool: ThreadPool) {
        guard changes else { return }
        pool.forEach(2) { part, _ in
            if part == 0 {
                packed.refill(weight.values, bias: bias?.values.elements)
            } else {
                transposed.refill(transposing: weight.values)
            }
        }
    }

    private var changes: Bool { !weight.isFrozen || bias != nil }
}

/// A trainable norm.
struct TrainableNorm: Sendable {
    var weight: Parameter
    var bias: Parameter?
    private let kind: LayerRecipe.Norm

    init(_ norm: NormWeights) {
        kind = norm.kind
        weight = Parameter(norm.weight)
        bias = norm.bias.map { Parameter($0) }
    }

    /// The current weights.
    var weights: NormWeights {
        NormWeights(weight: weight.values.elements, bias: bias?.values.elements, kind: kind)
    }

    /// One factor per channel.
    ///
    /// The gradient with respect to the factors is also the gradient with respect to the weight.
    var factors: [Float] { weights.factors }

    /// Calls `body` with every parameter, always in the same order.
    mutating func visit(
        _ name: String, _ body: (String, inout Parameter) throws -> Void
    ) rethrows {
        try body(name + ".weight", &weight)
        if bias != nil { try body(name + ".bias", &bias!) }
    }

    /// Returns the normalised rows of x.
    func applied(to x: Activations, epsilon: Float, on engine: Engine) -> Activations {
        var y = Activations()
        y.reshape(rows: x.rows, columns: x.columns)
        engine.normalise(
            x, weight: factors, bias: bias?.values.elements, isCentred: kind.isCentred,
            epsilon: epsilon, into: &y)
        return y
    }

    /// Adds the gradients with respect to x and to the norm's weights.
    ///
    /// `gradient` is the gradient with respect to the normalised rows.
    mutating func differentiate(
        _ gradient: Activations, inputs x: Activations, epsilon: Float,
        addingTo result: inout Activations, on engine: Engine
    ) {
        var unused = bias == nil ? [Float](repeating: 0, count: x.columns) : []
        func run(_ biasGradient: inout [Float]) {
            engine.differentiateNorm(
                of: x, gradient: gradient, weight: factors, isCentred: kind.isCentred,
                epsilon: epsilon, addingTo: &result,
                weightGradient: &weight.gradient.elements, biasGradient: &biasGradient)
        }
        if var known = bias?.gradient.elements {
            run(&known)
            bias?.gradient.elements = known
        } else {
            run(&unused)
        }
    }

    /// Returns the gradient with respect to x, and adds the gradients of the norm's weights.
    mutating func gradientByInputs(
        _ gradient: Activations, inputs x: Activations, epsilon: Float, on engine: Engine
    ) -> Activations {
        var result = Activations()
        engine.clear(&result, rows: x.rows, columns: x.columns)
        differentiate(gradient, inputs: x, epsilon: epsilon, addingTo: &result, on: engine)
        return result
    }

    /// Replaces the gradient with respect to normalised heads by the gradient with respect to x.
    ///
    /// The gradient of the norm's weight is added to it.
    mutating func differentiate(
        heads: Range<Int>, inputs x: Activations, epsilon: Float,
        gradient: inout Activations, on engine: Engine
    ) {
        engine.differentiateNorm(
            of: x, heads: heads, weight: factors, epsilon: epsilon,
            gradient: &gradient, weightGradient: &weight.gradient.elements)
    }
}
