public import Tensors
public import Transformers

/// Collects what pruning needs to know of a model from text that flows through it.
///
/// For every component the second moments `Σ x xᵀ` of its output projection's inputs, products of
/// one batch in f32, sums over batches in f64; `x` ends in the constant 1, for a bias and for means.
/// For every layer the block influence, `1 − E[cos(h, h′)]` between the residual
/// stream before and after it (Men et al., "ShortGPT", arXiv 2403.03853).
public final class Calibration: ForwardObserver {
    /// The tokens seen.
    public private(set) var tokens = 0

    private let engine: Engine
    private var sums: [Component: Matrix<Double>] = [:]
    private var influence: [Double]
    private var previous = Activations()

    /// Creates an empty collection for a model.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the model.
    ///   - engine: What to compute on.
    public init(shape: ModelShape, engine: Engine) {
        self.engine = engine
        influence = [Double](repeating: 0, count: shape.layers.count)
    }

    /// Runs batches of sequences through a model and collects.
    ///
    /// - Parameters:
    ///   - model: The dense model.
    ///   - batches: Sequences, a few thousand tokens at a time.
    ///   - progress: Called with the tokens seen after each batch; may throw to stop.
    /// - Throws: What `progress` throws.
    public func collect(
        from model: Model, _ batches: [TokenBatch], progress: (Int) throws -> Void = { _ in }
    ) rethrows {
        var pass = ForwardPass(model, on: engine)
        pass.observer = self
        for batch in batches {
            _ = pass.hiddenStates(of: batch)
            tokens += batch.ids.count
            try progress(tokens)
        }
    }

    /// The mean of `x xᵀ` of a component, x ending in 1, symmetric, and forgets it; nil where there
    /// was none.
    public func takeHessian(of component: Component) -> Matrix<Double>? {
        guard var hessian = sums.removeValue(forKey: component) else { return nil }
        hessian.mirrorUpperTriangle()
        let scale = 1 / Double(max(tokens, 1))
        for index in hessian.elements.indices { hessian.elements[index] *= scale }
        return hessian
    }

    /// The inputs of a component's output projection, the constant 1 included.
    func columns(of component: Component) -> Int { sums[component]?.columns ?? 0 }

    /// The components seen.
    public var components: [Component] { sums.keys.sorted() }

    /// The block influence of every layer; small where a layer changes little.
    public var blockInfluence: [Double] { influence.map { $0 / Double(max(tokens, 1)) } }

    /// Adds the inputs of one component.
    public func willProject(_ component: Component, inputs: Activations) {
        let inputs = inputs.appendingOnes()
        var sum =
            sums.removeValue(forKey: component)
            ?? Matrix(rows: inputs.columns, columns: inputs.columns)
        engine.addGram(of: inputs, to: &sum)
        sums[component] = sum
    }

    /// Compares the residual stream with that before the last layer.
    public func willEnterLayer(_ layer: Int, hidden: Activations) {
        if layer > 0 {
            for row in 0..<hidden.rows {
                influence[layer - 1] += 1 - cosine(hidden.row(row), previous.row(row))
            }
        }
        previous = hidden
    }
}

extension Activations {
    /// The same rows with one more column, of ones.
    func appendingOnes() -> Activations {
        var elements: [Float] = []
        elements.reserveCapacity(rows * (columns + 1))
        for row in 0..<rows {
            elements += self.row(row)
            elements.append(1)
        }
        return Activations(Matrix(rows: rows, columns: columns + 1, elements: elements))
    }
}
