public import Tensors

/// Runs a forward pass one component at a time, so that the caller can change weights between
/// components.
extension ForwardPass {
    /// Returns the residual stream before the first layer, `[tokens, hidden]`.
    public mutating func embedded(_ batch: TokenBatch) -> Activations {
        embed(batch.ids, positions: batch.positions, typeIDs: batch.typeIDs)
        return hidden
    }

    /// Returns the input of a component's first projections.
    ///
    /// It is the residual stream, after the norm if the architecture has a norm before the
    /// component.
    ///
    /// - Parameters:
    ///   - component: A component that is not removed.
    ///   - entering: The residual stream before the component, `[tokens, hidden]`.
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

    /// Computes the input of a component's last projection.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - batch: The sequences.
    ///   - entering: The residual stream before the component, `[tokens, hidden]`.
    /// - Returns: Shape `[tokens, columns of the projection]`; nil if the component is removed.
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

    /// Applies a component's last projection to its inputs; nil if the component is removed.
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

    /// Adds the output of a component to the residual stream, with the norms that follow it.
    ///
    /// If `output` is nil, nothing is added.
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
