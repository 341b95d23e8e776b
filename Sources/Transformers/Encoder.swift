import Tensors

/// One post-norm encoder layer: `h = norm(h + O·attention(h))`, then `h = norm(h + D·GELU(U·h))`.
/// A removed branch adds 0 and keeps its norm. Source: Devlin et al., arXiv 1810.04805.
extension ForwardPass {
    mutating func encoderLayer(_ index: Int, sequences: [Range<Int>]) {
        let layer = model.layers[index]
        for group in groups(of: sequences) {
            let rows = group[group.startIndex].lowerBound..<group[group.endIndex - 1].upperBound
            if let block = encoderContext(index, sequences: group, rows: rows) {
                let component = Component(layer: index, kind: .attention)
                observer?.filter(component, inputs: &context)
                observer?.willProject(component, inputs: context)
                engine.linear(
                    context, block.output, into: &hidden, firstRow: rows.lowerBound, .add)
            }
            if let norm = layer.attentionNorm { layerNorm(norm, rows: rows) }
        }
        for rows in chunks(of: hidden.rows) {
            if let block = encoderActivation(index, rows: rows) {
                let component = Component(layer: index, kind: .feedForward)
                observer?.filter(component, inputs: &activation)
                observer?.willProject(component, inputs: activation)
                engine.linear(
                    activation, block.down, into: &hidden, firstRow: rows.lowerBound, .add)
            }
            if let norm = layer.feedForwardNorm { layerNorm(norm, rows: rows) }
        }
    }

    /// Leaves the inputs of the attention block's output projection in `context`; nil without block.
    mutating func encoderContext(
        _ index: Int, sequences: ArraySlice<Range<Int>>, rows: Range<Int>
    ) -> Model.Layer.Attention? {
        guard let block = model.layers[index].attention else { return nil }
        fused.reshape(rows: rows.count, columns: block.heads.fusedWidth)
        engine.linear(hidden, rows: rows, block.fused, into: &fused)
        context.reshape(rows: rows.count, columns: block.heads.contextWidth)
        engine.attend(
            fused, heads: block.heads,
            sequences: sequences.map {
                $0.lowerBound - rows.lowerBound..<$0.upperBound - rows.lowerBound
            }, causal: false, precision: model.precision, into: &context, scratch: &scratch)
        return block
    }

    /// Leaves the inputs of the feed-forward block's output projection in `activation`.
    mutating func encoderActivation(_ index: Int, rows: Range<Int>) -> Model.Layer.FeedForward? {
        guard let block = model.layers[index].feedForward else { return nil }
        activation.reshape(rows: rows.count, columns: block.up.outputs)
        engine.linear(
            hidden, rows: rows, block.up, into: &activation, model.shape.architecture.activation)
        return block
    }
}
