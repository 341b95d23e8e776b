public import Tensors

/// The steps of a forward pass, one branch after another, for callers that change weights in
/// between.
extension ForwardPass {
    /// The residual stream before the first layer, `[tokens, hidden]`.
    public mutating func embedded(_ batch: TokenBatch) -> Activations {
        embed(batch.ids, positions: batch.positions, typeIDs: batch.typeIDs)
        return hidden
    }

    /// The input of a component's first projections.
    ///
    /// It is the residual stream, normalised if the recipe says so.
    ///
    /// - Parameters:
    ///   - component: A component that is not removed.
    ///   - entering: The residual stream before it, `[tokens, hidden]`.
    /// - Returns: Shape `[tokens, hidden]`.
    public mutating func entry(of component: Component, entering: Activations) -> Activations {
        guard normalisesInput else { return entering }
        hidden = entering
        let layer = model.layers[component.layer]
        enter(
            component.kind == .attention ? layer.attentionNorm : layer.feedForwardNorm,
            rows: 0..<entering.rows)
        return normed
    }

    /// The input of a component's output projection.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - batch: The sequences.
    ///   - entering: The residual stream before the component, `[tokens, hidden]`.
    /// - Returns: Shape `[tokens, units' columns]`; nil if the component is removed.
    public mutating func inputs(
        of component: Component, in batch: TokenBatch, entering: Activations
    ) -> Activations? {
        hidden = entering
        let (layer, rows) = (component.layer, 0..<entering.rows)
        switch (model.shape.architecture.isCausal, component.kind) {
        case (true, .attention):
            return decoderContext(layer, positions: batch.positions, sequences: batch.sequences)
                .map { _ in context }
        case (true, .feedForward):
            return decoderActivation(layer, rows: rows).map { _ in activation }
        case (false, .attention):
            return encoderContext(
                layer, positions: batch.positions, sequences: batch.sequences[...], rows: rows
            ).map { _ in context }
        case (false, .feedForward):
            return encoderActivation(layer, rows: rows).map { _ in activation }
        }
    }

    /// The output of a component's last projection, from the input of this projection; nil if the
    /// component is removed.
    public func output(of component: Component, from inputs: Activations) -> Activations? {
        let layer = model.layers[component.layer]
        let projection =
            component.kind == .attention ? layer.attention?.output : layer.feedForward?.down
        guard let projection else { return nil }
        var result = Activations()
        result.reshape(rows: inputs.rows, columns: projection.outputs)
        engine.linear(inputs, projection, into: &result)
        return result
    }

    /// The residual stream after a component whose last projection has the given output.
    public mutating func stream(
        after component: Component, entering: Activations, adding output: Activations?
    ) -> Activations {
        hidden = entering
        let layer = model.layers[component.layer]
        if let output {
            let norm =
                component.kind == .attention
                ? layer.attentionOutputNorm : layer.feedForwardOutputNorm
            addBranch(norm: norm, rows: 0..<entering.rows) { engine, stream, _ in
                engine.add(output, to: &stream)
            }
        }
        leave(component.kind == .attention ? layer.attentionNorm : layer.feedForwardNorm)
        return hidden
    }
}
