internal import Tensors

/// The norms of the branches of a layer.
extension ForwardPass {
    /// The place of the norms of a branch.
    private var place: LayerRecipe.NormPlace { model.shape.architecture.layer.normPlace }

    /// Whether the input of a branch is normalised.
    var normalisesInput: Bool { place.normalisesInput }

    /// Stores the input of a branch in `normed`.
    ///
    /// The input is some rows of the residual stream, after the norm if the architecture has a norm
    /// before the branch.
    mutating func enter(_ norm: NormWeights?, rows: Range<Int>) {
        guard normalisesInput, let norm else {
            return engine.select(hidden, rows: rows, into: &normed)
        }
        normed.reshape(rows: rows.count, columns: hidden.columns)
        engine.normalise(
            hidden, rows: rows, weight: norm.weight, bias: norm.bias,
            isCentred: norm.kind.isCentred, epsilon: model.shape.normEpsilon, into: &normed)
    }

    /// Adds the output of a branch to rows of the residual stream.
    ///
    /// The output is first normalised if `norm` is not nil, and multiplied by the factor of
    /// branches.
    ///
    /// - Parameters:
    ///   - norm: The norm of the output.
    ///   - rows: The rows of the residual stream.
    ///   - add: Adds the output of the branch to its argument, starting at the row `firstRow`.
    mutating func addBranch(
        norm: NormWeights?, rows: Range<Int>,
        _ add: (Engine, inout Activations, _ firstRow: Int) -> Void
    ) {
        let factor = model.shape.usedFactors.branches
        guard factor != 1 || norm != nil else { return add(engine, &hidden, rows.lowerBound) }
        engine.clear(&term, rows: rows.count, columns: hidden.columns)
        add(engine, &term, 0)
        if let norm {
            engine.normalise(
                inPlace: &term, weight: norm.weight, bias: norm.bias,
                isCentred: norm.kind.isCentred, epsilon: model.shape.normEpsilon)
        }
        engine.add(term, times: factor, to: &hidden, firstRow: rows.lowerBound)
    }

    /// Adds the output of a branch to rows of the residual stream.
    ///
    /// The output is the last projection of the branch, applied to `inputs`.
    mutating func addBranch(
        _ inputs: Activations, _ projection: PackedWeights, norm: NormWeights?, rows: Range<Int>
    ) {
        addBranch(norm: norm, rows: rows) { engine, stream, first in
            engine.linear(inputs, projection, into: &stream, firstRow: first, .add)
        }
    }

    /// Normalises rows of the residual stream if the architecture has a norm of the sum after a
    /// branch.
    ///
    /// If `rows` is nil, it normalises all rows.
    mutating func leave(_ norm: NormWeights?, rows: Range<Int>? = nil) {
        if place.normalisesSum { normaliseStream(norm, rows: rows) }
    }

    /// Normalises rows of the residual stream if `norm` is not nil; all rows if `rows` is nil.
    mutating func normaliseStream(_ norm: NormWeights?, rows: Range<Int>? = nil) {
        guard let norm else { return }
        engine.normalise(
            inPlace: &hidden, rows: rows, weight: norm.weight, bias: norm.bias,
            isCentred: norm.kind.isCentred, epsilon: model.shape.normEpsilon)
    }

    /// Normalises and rotates the heads of queries and keys in `fused`.
    ///
    /// They are normalised only if the block has norms of heads, and rotated only if the layer has
    /// rotary positions.
    mutating func prepareHeads(
        _ block: Model.Layer.Attention, ofLayer index: Int, positions: ArraySlice<Int>
    ) {
        let queries = 0..<block.heads.query
        let keys = queries.upperBound..<queries.upperBound + block.heads.keyValue
        for (heads, norm) in [(queries, block.queryNorm), (keys, block.keyNorm)] {
            guard let norm else { continue }
            engine.rmsNorm(
                &fused, heads: heads, weight: norm.weight, epsilon: model.shape.normEpsilon)
        }
        guard let rotary = model.rotaries[model.shape.layers[index].rotation] else { return }
        engine.rotate(
            &fused, heads: block.heads.query + block.heads.keyValue,
            dimension: block.heads.dimension, positions: positions, table: rotary)
    }
}
