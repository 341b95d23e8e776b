internal import Tensors

/// The norms around the branches of a layer, ahead of them or behind them.
extension ForwardPass {
    /// Whether a branch reads the normalised residual stream, instead of the sum being normalised.
    var normsAreAhead: Bool { model.shape.architecture.layer.normPlace == .ahead }

    /// Leaves what a branch reads in `normed`: rows of the residual stream, normalised if norms are
    /// ahead of branches.
    mutating func enter(_ norm: NormWeights?, rows: Range<Int>) {
        guard normsAreAhead, let norm else {
            return engine.select(hidden, rows: rows, into: &normed)
        }
        normed.reshape(rows: rows.count, columns: hidden.columns)
        engine.normalise(
            hidden, rows: rows, weight: norm.weight, bias: norm.bias,
            epsilon: model.shape.normEpsilon, into: &normed)
    }

    /// Normalises rows of the residual stream, or all, if norms are behind branches.
    mutating func leave(_ norm: NormWeights?, rows: Range<Int>? = nil) {
        if !normsAreAhead { normaliseStream(norm, rows: rows) }
    }

    /// Normalises rows of the residual stream, or all, if there is a norm.
    mutating func normaliseStream(_ norm: NormWeights?, rows: Range<Int>? = nil) {
        guard let norm else { return }
        engine.normalise(
            inPlace: &hidden, rows: rows, weight: norm.weight, bias: norm.bias,
            epsilon: model.shape.normEpsilon)
    }

    /// Normalises the heads of queries and keys in `fused` if the block has such norms, and turns
    /// them by their positions if these are rotary.
    mutating func prepareHeads(_ block: Model.Layer.Attention, positions: ArraySlice<Int>) {
        let queries = 0..<block.heads.query
        let keys = queries.upperBound..<queries.upperBound + block.heads.keyValue
        for (heads, norm) in [(queries, block.queryNorm), (keys, block.keyNorm)] {
            guard let norm else { continue }
            engine.rmsNorm(
                &fused, heads: heads, weight: norm.weight, epsilon: model.shape.normEpsilon)
        }
        guard let rotary = model.rotary else { return }
        engine.rotate(
            &fused, heads: block.heads.query + block.heads.keyValue,
            dimension: block.heads.dimension, positions: Array(positions), table: rotary)
    }
}
