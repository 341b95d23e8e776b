import Tensors

/// One pre-norm decoder layer: `h += O·attention(norm(h))`, then `h += D·(SiLU(G·n) ⊙ U·n)` with
/// `n = norm(h)`. Source: Touvron et al., arXiv 2302.13971; grouped queries: arXiv 2305.13245.
extension ForwardPass {
    mutating func llamaLayer(_ index: Int, positions: [Int], sequences: [Range<Int>]) {
        llamaAttention(index, positions: positions) { pass, heads in
            pass.engine.attend(
                pass.fused, heads: heads, sequences: sequences, causal: true,
                precision: pass.model.precision, into: &pass.context, scratch: &pass.scratch)
        }
        llamaFeedForward(index)
    }

    mutating func llamaLayer(_ index: Int, positions: [Int], cache: inout KeyValueCache) {
        llamaAttention(index, positions: positions) { pass, heads in
            let tokens = positions.count / cache.sequences
            for place in 0..<cache.sequences * heads.keyValue {
                let (sequence, head) = place.quotientAndRemainder(dividingBy: heads.keyValue)
                let rows = sequence * tokens..<(sequence + 1) * tokens
                let firstRow = place * cache.capacity + cache.count
                let key = heads.contextWidth + head * heads.dimension
                let value = key + heads.keyValue * heads.dimension
                pass.engine.copy(
                    pass.fused, rows: rows, columns: key..<key + heads.dimension,
                    into: &cache.keys[index], firstRow: firstRow)
                pass.engine.copy(
                    pass.fused, rows: rows, columns: value..<value + heads.dimension,
                    into: &cache.values[index], firstRow: firstRow)
            }
            pass.engine.attend(
                pass.fused, heads: heads, keys: cache.keys[index], values: cache.values[index],
                sequences: cache.sequences, count: cache.count + tokens,
                precision: pass.model.precision, into: &pass.context, scratch: &pass.scratch)
        }
        llamaFeedForward(index)
    }

    private mutating func llamaAttention(
        _ index: Int, positions: [Int],
        attend: (inout ForwardPass, AttentionHeads) -> Void
    ) {
        let layer = model.layers[index]
        guard let block = layer.attention, let rotary = model.rotary else { return }
        rmsNorm(layer.attentionNorm, rows: 0..<hidden.rows)
        fused.reshape(rows: hidden.rows, columns: block.heads.fusedWidth)
        engine.linear(normed, block.fused, into: &fused)
        engine.rotate(
            &fused, heads: block.heads.query + block.heads.keyValue,
            dimension: block.heads.dimension, positions: positions, table: rotary)
        context.reshape(rows: hidden.rows, columns: block.heads.contextWidth)
        attend(&self, block.heads)
        observer?.willProject(Component(layer: index, kind: .attention), inputs: context)
        engine.linear(context, block.output, into: &hidden, .add)
    }

    private mutating func llamaFeedForward(_ index: Int) {
        let layer = model.layers[index]
        guard let block = layer.feedForward else { return }
        for rows in chunks(of: hidden.rows) {
            rmsNorm(layer.feedForwardNorm, rows: rows)
            activation.reshape(rows: rows.count, columns: block.up.outputs)
            engine.linear(normed, block.up, into: &activation, .swiglu)
            observer?.willProject(Component(layer: index, kind: .feedForward), inputs: activation)
            engine.linear(activation, block.down, into: &hidden, firstRow: rows.lowerBound, .add)
        }
    }

    private mutating func rmsNorm(_ norm: NormWeights?, rows: Range<Int>) {
        guard let norm else { return }
        normed.reshape(rows: rows.count, columns: hidden.columns)
        engine.rmsNorm(
            hidden, rows: rows, weight: norm.weight, epsilon: model.shape.normEpsilon,
            into: &normed)
    }
}
