public import Tensors
public import Transformers

/// Rounds the output head of a decoder with ``GPTQ``, on the last hidden states of calibration text.
///
/// A token embedding that is tied to the head gets the same values.
public enum HeadRounding {
    /// Rounds the output head.
    ///
    /// - Parameters:
    ///   - weight: The weight of the head, `[vocabulary, hidden]`.
    ///   - grid: The grid.
    ///   - model: The model whose hidden states the head multiplies.
    ///   - batches: Batches of calibration sequences.
    ///   - damping: The fraction of the mean diagonal that is added to the diagonal of the second
    ///     moments.
    ///   - engine: The engine to compute on. The result does not depend on its number of threads.
    ///   - progress: Called before each batch with the number of finished batches; may throw to stop.
    /// - Returns: The codes and scales.
    /// - Throws: ``SurgeonError``, `NonFiniteError` if a weight is outside the range of the grid, and
    ///   what `progress` throws.
    /// - Complexity: A forward pass, and O(vocabulary · hidden²).
    public static func rounded(
        _ weight: Matrix<Float>, to grid: WeightGrid, inputsFrom model: Model,
        on batches: [TokenBatch], damping: Double = 0.01, engine: Engine,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> CodedMatrix {
        try grid.check(weight, "the output head")
        var (pass, moments) = (ForwardPass(model, on: engine), SecondMoments())
        for (index, batch) in batches.enumerated() {
            try progress(index)
            moments.add(pass.hiddenStates(of: batch), on: engine)
        }
        let gptq = try GPTQ(
            hessian: (consume moments).mean(), grid: grid, damping: damping, pool: engine.pool)
        return gptq.rounded(weight)
    }
}

/// The weights of a model with a rounded output head, which may be the token embedding.
public struct WithRoundedHead: WeightSource {
    private let base: any WeightSource
    private let codes: CodedMatrix

    /// Replaces the head of a model.
    public init(_ base: any WeightSource, _ codes: CodedMatrix) {
        (self.base, self.codes) = (base, codes)
    }

    /// The sizes of the model.
    public var shape: ModelShape { base.shape }

    /// The pooling of an encoder.
    public var pooling: Pooling { base.pooling }

    /// The embeddings; the token embedding is rounded if it is the output head.
    public func embeddings() throws -> EmbeddingWeights {
        var embeddings = try base.embeddings()
        if shape.tiedHead { embeddings.tokens = codes.values }
        return embeddings
    }

    /// The final norm and the rounded output head.
    public func head() throws -> HeadWeights {
        var head = try base.head()
        if head.output != nil { head.output = codes.values }
        return head
    }

    /// The layer at an index.
    public func layer(_ index: Int) throws -> LayerWeights { try base.layer(index) }

    /// The sizes of a layer.
    public func outline(_ index: Int) throws -> LayerWeights { try base.outline(index) }
}

extension WeightGrid {
    /// Refuses a weight with an element whose magnitude is greater than that of every value.
    ///
    /// - Parameters:
    ///   - weight: The weight.
    ///   - name: What the weight is, for the error.
    /// - Throws: `NonFiniteError`.
    func check(_ weight: Matrix<Float>, _ name: String) throws(NonFiniteError) {
        guard let found = firstOutside(weight.elements, limit: maximumMagnitude) else { return }
        throw NonFiniteError(
            "a weight of \(name)", problem: "is \(found.value), beyond ±\(maximumMagnitude)",
            remedy: "store the weights as f32")
    }
}
