import Tensors

/// The layers of encoders, whose tokens attend to all tokens of their sequence.
///
/// A layer computes the branches `O·attention(h)` and `D·f(U·h)` with the architecture's activation
/// f, and places norms as its ``LayerRecipe`` says.
extension ForwardPass {
    mutating func encoderLayer(_ index: Int, positions: [Int], sequences: [Range<Int>]) {
        let layer = model.layers[index]
        for group in groups(of: sequences) {
            let rows = group[group.startIndex].lowerBound..<group[group.endIndex - 1].upperBound
            if let block = encoderContext(
                index, positions: positions, sequences: group, rows: rows)
            {
                let component = Component(layer: index, kind: .attention)
                observer?.filter(component, inputs: &context)
                observer?.willProject(component, inputs: context)
                addBranch(
                    context, block.output, norm: layer.attentionOutputNorm, rows: rows)
            }
            leave(layer.attentionNorm, rows: rows)
        }
        for rows in chunks(of: hidden.rows) {
            if let block = encoderActivation(index, rows: rows) {
                let component = Component(layer: index, kind: .feedForward)
                observer?.filter(component, inputs: &activation)
                observer?.willProject(component, inputs: activation)
                addBranch(
                    activation, block.down, norm: layer.feedForwardOutputNorm, rows: rows)
            }
            leave(layer.feedForwardNorm, rows: rows)
        }
    }

    /// Stores the inputs of the attention block's output projection in `context`.
    ///
    /// Returns nil if there is no attention block.
    mutating func encoderContext(
        _ index: Int, positions: [Int], sequences: ArraySlice<Range<Int>>, rows: Range<Int>
    ) -> Model.Layer.Attention? {
        let layer = model.layers[index]
        guard let block = layer.attention else { return nil }
        fused.reshape(rows: rows.count, columns: block.heads.fusedWidth)
        if normalisesInput {
            enter(layer.attentionNorm, rows: rows)
            engine.linear(normed, block.fused, into: &fused)
        } else {
            engine.linear(hidden, rows: rows, block.fused, into: &fused)
        }
        prepareHeads(block, ofLayer: index, positions: positions[rows])
        context.reshape(rows: rows.count, columns: block.heads.contextWidth)
        engine.attend(
            fused, heads: block.heads,
            sequences: sequences.map {
                $0.lowerBound - rows.lowerBound..<$0.upperBound - rows.lowerBound
            }, causal: false, biases: model.biases,
            precision: model.formats.layers[index].attention, into: &context, scratch: &scratch)
        return block
    }

    /// Stores the inputs of the feed-forward block's down projection in `activation`.
    ///
    /// Returns nil if there is no feed-forward block.
    mutating func encoderActivation(_ index: Int, rows: Range<Int>) -> Model.Layer.FeedForward? {
        let layer = model.layers[index]
        guard let block = layer.feedForward else { return nil }
        let function = model.shape.architecture.layer.epilogue
        activation.reshape(rows: rows.count, columns: block.up.outputs)
        if normalisesInput {
            enter(layer.feedForwardNorm, rows: rows)
            engine.linear(normed, block.up, into: &activation, function)
        } else {
            engine.linear(hidden, rows: rows, block.up, into: &activation, function)
        }
        return block
    }
}
