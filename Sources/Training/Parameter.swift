public import Tensors
internal import Transformers

/// Weights that are trained: their values, the gradient gathered so far, and Adam's moments.
public struct Parameter: Sendable {
    /// Shape `[outputs, inputs]`, or one row for a vector.
    public internal(set) var values: Matrix<Float>
    /// The gradient by the values.
    public internal(set) var gradient: Matrix<Float>
    /// Whether weight decay draws it to 0: matrices are, biases and norms are not.
    public let decays: Bool
    /// Whether the values stay: nothing is gathered of their gradient.
    var isFrozen = false

    var adam: Adam

    /// Takes weights to train, without a gradient yet.
    init(_ values: Matrix<Float>, decays: Bool = true) {
        self.values = values
        self.decays = decays
        gradient = Matrix(rows: values.rows, columns: values.columns)
        adam = Adam(count: values.elements.count)
    }

    /// Takes a vector to train.
    init(_ vector: [Float]) {
        self.init(Matrix(rows: 1, columns: vector.count, elements: vector), decays: false)
    }

    /// Takes one step of Adam against the gradient, and forgets that.
    ///
    /// - Parameters:
    ///   - rate: How far a weight goes whose gradient is always the same.
    ///   - gradientShare: What the gradient is multiplied with.
    ///   - decay: What weights lose beside, as a share of the rate, if this one decays.
    ///   - pool: The threads to use.
    mutating func step(
        rate: Float, gradientShare: Float = 1, decay: Float = 0, pool: ThreadPool
    ) {
        guard !isFrozen else { return }
        adam.step(
            &values.elements, against: &gradient.elements, rate: rate,
            gradientShare: gradientShare, decay: decays ? decay : 0, pool: pool)
    }

    /// Forgets the gradient.
    mutating func clearGradient(on pool: ThreadPool) {
        gradient.elements.withUnsafeMutableBufferPointer { gradient in
            let gradient = gradient
            pool.split(gradient.count) { range, _ in
                UnsafeMutableBufferPointer(rebasing: gradient[range]).update(repeating: 0)
            }
        }
    }
}

extension Matrix<Float> {
    /// The sum of the squares of all elements, of the same value for any number of threads.
    func squareSum(on pool: ThreadPool) -> Double {
        pool.squareSum(of: elements, first: elements.count)
    }
}

/// A linear layer that is trained, its weights kept in f32 and packed both ways.
struct TrainableLinear: Sendable {
    var weight: Parameter
    var bias: Parameter?
    private let packed: PackedWeights
    private let transposed: PackedWeights

    /// Takes a layer to train, with products in `f32`, `f16` or `bf16`.
    init(_ projection: Projection, precision: Precision = .f32, in arena: Arena) {
        weight = Parameter(projection.weight)
        bias = projection.bias.map { Parameter($0) }
        packed = PackedWeights(
            projection.weight, bias: projection.bias, precision: precision, in: arena)
        transposed = PackedWeights(
            transposing: projection.weight, precision: precision, in: arena)
    }

    /// That of the products.
    var precision: Precision { packed.precision }

    /// The weights so far.
    var projection: Projection {
        Projection(weight: weight.values, bias: bias?.values.elements)
    }

    /// Visits every parameter in one order.
    mutating func visit(
        _ name: String, _ body: (String, inout Parameter) throws -> Void
    ) rethrows {
        try body(name + ".weight", &weight)
        if bias != nil { try body(name + ".bias", &bias!) }
    }

    /// `y = x · Wᵀ + b`, or that added to y.
    func apply(
        to x: Activations, into y: inout Activations, adding: Bool = false, on engine: Engine
    ) {
        if !adding { y.reshape(rows: x.rows, columns: weight.values.rows) }
        engine.linear(x, packed, into: &y, adding ? .add : .store)
    }

    /// Gathers the gradients of weights and bias, given those by the outputs.
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

    /// The gradient by the inputs, `dx = dy · W`.
    func gradientByInputs(_ gradient: Activations, into x: inout Activations, on engine: Engine) {
        x.reshape(rows: gradient.rows, columns: weight.values.columns)
        gradientByInputs(gradient, into: &x, firstRow: 0, on: engine)
    }

    /// The same, into some rows.
    func gradientByInputs(
        _ gradient: Activations, into x: inout Activations, firstRow: Int, on engine: Engine
    ) {
        engine.linear(gradient, transposed, into: &x, firstRow: firstRow)
    }

    /// What brings changed weights to where products read them; in any order, at once too.
    var packing: [() -> Void] {
        if weight.isFrozen, bias == nil { return [] }
        return [
            { packed.refill(weight.values, bias: bias?.values.elements) },
            { transposed.refill(transposing: weight.values) },
        ]
    }

    /// Brings changed weights to where products read them.
    func pack() { for part in packing { part() } }
}

/// A norm that is trained.
struct TrainableNorm: Sendable {
    var weight: Parameter
    var bias: Parameter?

    init(_ norm: NormWeights) {
        weight = Parameter(norm.weight)
        bias = norm.bias.map { Parameter($0) }
    }

    /// The weights so far.
    var weights: NormWeights {
        NormWeights(weight: weight.values.elements, bias: bias?.values.elements)
    }

    /// Visits every parameter in one order.
    mutating func visit(
        _ name: String, _ body: (String, inout Parameter) throws -> Void
    ) rethrows {
        try body(name + ".weight", &weight)
        if bias != nil { try body(name + ".bias", &bias!) }
    }

    /// The normalised rows of x.
    func applied(to x: Activations, epsilon: Float, on engine: Engine) -> Activations {
        var y = Activations()
        y.reshape(rows: x.rows, columns: x.columns)
        engine.normalise(
            x, weight: weight.values.elements, bias: bias?.values.elements, epsilon: epsilon,
            into: &y)
        return y
    }

    /// Adds the gradient by x, given that by the normalised rows, and gathers the weights' own.
    mutating func differentiate(
        _ gradient: Activations, inputs x: Activations, epsilon: Float,
        addingTo result: inout Activations, on engine: Engine
    ) {
        var unused = bias == nil ? [Float](repeating: 0, count: x.columns) : []
        func run(_ biasGradient: inout [Float]) {
            engine.differentiateNorm(
                of: x, gradient: gradient, weight: weight.values.elements,
                isCentred: bias != nil, epsilon: epsilon, addingTo: &result,
                weightGradient: &weight.gradient.elements, biasGradient: &biasGradient)
        }
        if var known = bias?.gradient.elements {
            run(&known)
            bias?.gradient.elements = known
        } else {
            run(&unused)
        }
    }

    /// The gradient by x alone; gathers the weights' own.
    mutating func gradientByInputs(
        _ gradient: Activations, inputs x: Activations, epsilon: Float, on engine: Engine
    ) -> Activations {
        var result = Activations()
        engine.clear(&result, rows: x.rows, columns: x.columns)
        differentiate(gradient, inputs: x, epsilon: epsilon, addingTo: &result, on: engine)
        return result
    }

    /// The same for norms of heads, in place of the gradient.
    mutating func differentiate(
        heads: Range<Int>, inputs x: Activations, epsilon: Float,
        gradient: inout Activations, on engine: Engine
    ) {
        engine.differentiateNorm(
            of: x, heads: heads, weight: weight.values.elements, epsilon: epsilon,
            gradient: &gradient, weightGradient: &weight.gradient.elements)
    }
}
