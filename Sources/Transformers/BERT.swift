import Tensors

/// One post-norm encoder layer: `h = norm(h + O·attention(h))`, then `h = norm(h + D·GELU(U·h))`.
/// A removed branch adds 0 and keeps its norm. Source: Devlin et al., arXiv 1810.04805.
extension ForwardPass {
    mutating func bertLayer(_ index: Int, sequences: [Range<Int>]) {
        let layer = model.layers[index]
        if let block = layer.attention {
            fused.reshape(rows: hidden.rows, columns: block.heads.fusedWidth)
            engine.linear(hidden, block.fused, into: &fused)
            context.reshape(rows: hidden.rows, columns: block.heads.contextWidth)
            engine.attend(
                fused, heads: block.heads, sequences: sequences, causal: false, into: &context,
                scratch: &scratch)
            observer?.willProject(Component(layer: index, kind: .attention), inputs: context)
            engine.linear(context, block.output, into: &hidden, .add)
        }
        if let norm = layer.attentionNorm { layerNorm(norm) }
        if let block = layer.feedForward {
            activation.reshape(rows: hidden.rows, columns: block.up.outputs)
            engine.linear(hidden, block.up, into: &activation, .gelu)
            observer?.willProject(Component(layer: index, kind: .feedForward), inputs: activation)
            engine.linear(activation, block.down, into: &hidden, .add)
        }
        if let norm = layer.feedForwardNorm { layerNorm(norm) }
    }
}
