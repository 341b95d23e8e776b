internal import Tensors
internal import Transformers

/// The values of a layer's forward pass that its backward pass needs.
struct LayerRecord: Sendable {
    /// The residual stream before the layer.
    var entering = Activations()
    /// Queries, keys and values before the norms of heads, if there are such norms.
    var raw = Activations()
    /// The queries, keys and values that attention reads.
    var fused = Activations()
    /// The output of attention.
    var context = Activations()
    /// The output of the attention block before its output norm.
    ///
    /// It is empty if there is no output norm.
    var attended = Activations()
    /// The output of the feed-forward block before its output norm.
    ///
    /// It is empty if there is no output norm.
    var fed = Activations()
    /// The residual stream after the attention block, before a post-norm.
    var middle = Activations()
    /// The output of the feed-forward block's first projection.
    var inner = Activations()
    /// The residual stream after the feed-forward block, before a post-norm.
    ///
    /// It is empty if there is no post-norm.
    var sum = Activations()
}

/// Runs the forward and the backward pass of one layer.
///
/// The blocks are `O·attention(h)` and `D·f(U·h)`, with norms in the places of the ``LayerRecipe``.
struct LayerPass {
    let shape: ModelShape
    let engine: Engine
    let sequences: [Range<Int>]
    let positions: [Int]
    /// The rotary tables of the forward and the backward pass.
    let rotaries: (forward: RotaryTables, backward: RotaryTables)
    /// The terms of attention scores; nil if nothing is added.
    let biases: ScoreBiases?

    private var factor: Float { shape.usedFactors.branches }
    private var place: LayerRecipe.NormPlace { shape.architecture.layer.normPlace }
    private var isCausal: Bool { shape.architecture.isCausal }
    private var epsilon: Float { shape.normEpsilon }
    private var function: Epilogue { shape.architecture.layer.epilogue }

    /// Returns the residual stream after a layer, and the record for the backward pass.
    func forward(_ layer: TrainableLayer, _ entering: Activations) -> (Activations, LayerRecord) {
        var record = LayerRecord()
        record.entering = entering
        if let block = layer.attention {
            engine.copy(entering, into: &record.middle)
            let inputs = entry(layer.attentionNorm, entering)
            block.fused.apply(to: inputs, into: &record.fused, on: engine)
            if block.queryNorm != nil || block.keyNorm != nil { record.raw = record.fused }
            for (heads, norm) in block.normedHeads {
                engine.rmsNorm(
                    &record.fused, heads: heads, weight: norm.factors, epsilon: epsilon)
            }
            if let table = rotaries.forward[layer.rotation] {
                engine.rotate(
                    &record.fused, heads: block.heads.query + block.heads.keyValue,
                    dimension: block.heads.dimension, positions: positions[...],
                    table: table)
            }
            var scratch = AttentionScratch()
            record.context.reshape(rows: entering.rows, columns: block.heads.contextWidth)
            engine.attend(
                record.fused, heads: block.heads, sequences: sequences, causal: isCausal,
                biases: biases, into: &record.context, scratch: &scratch)
            add(
                block.output, of: record.context, layer.attentionOutputNorm, to: &record.middle,
                keeping: &record.attended)
        } else {
            record.middle = entering
        }
        let middle = stream(layer.attentionNorm, record.middle)
        var result = middle
        if let block = layer.feedForward {
            result = Activations()
            engine.copy(middle, into: &result)
            block.first.apply(
                to: entry(layer.feedForwardNorm, middle), into: &record.inner, on: engine)
            add(
                block.down, of: active(record), layer.feedForwardOutputNorm, to: &result,
                keeping: &record.fed)
        }
        if place.normalisesSum { record.sum = result }
        return (stream(layer.feedForwardNorm, result), record)
    }

    /// Runs the backward pass of a layer.
    ///
    /// Before the call, `gradient` is the gradient with respect to the output of the layer. After
    /// the call, it is the gradient with respect to the input of the layer. The gradients with
    /// respect to the layer's weights are added to the layer, and that of the table of terms of
    /// attention scores to `table`.
    func backward(
        _ layer: inout TrainableLayer, _ record: LayerRecord, _ gradient: inout Activations,
        addingTo table: inout Parameter?
    ) {
        let middle = stream(layer.attentionNorm, record.middle)
        unnorm(&layer.feedForwardNorm, record.sum, &gradient)
        // The block is changed in place. If it were copied to a variable first, adding to its
        // gradients would copy their arrays.
        if layer.feedForward != nil {
            var (active, inner) = (Activations(), Activations())
            let given = ofOutput(gradient, &layer.feedForwardOutputNorm, record.fed)
            layer.feedForward?.down.gather(given, inputs: self.active(record), on: engine)
            layer.feedForward?.down.gradientByInputs(given, into: &active, on: engine)
            engine.differentiate(record.inner, function, gradient: active, into: &inner)
            let inputs = entry(layer.feedForwardNorm, middle)
            layer.feedForward?.first.gather(inner, inputs: inputs, on: engine)
            layer.feedForward?.first.gradientByInputs(inner, into: &active, on: engine)
            enter(&layer.feedForwardNorm, middle, active, addingTo: &gradient)
        }
        unnorm(&layer.attentionNorm, record.middle, &gradient)
        if let (heads, precision) = layer.attention.map({ ($0.heads, $0.fused.precision) }) {
            var (context, fused) = (Activations(), Activations())
            let given = ofOutput(gradient, &layer.attentionOutputNorm, record.attended)
            layer.attention?.output.gather(given, inputs: record.context, on: engine)
            layer.attention?.output.gradientByInputs(given, into: &context, on: engine)
            let byBiases = engine.differentiateAttention(
                record.fused, heads: heads, sequences: sequences, causal: isCausal,
                biases: biases, precision: precision, gradient: context, into: &fused)
            if let byBiases { add(byBiases, of: heads, to: &table) }
            if let table = rotaries.backward[layer.rotation] {
                engine.rotate(
                    &fused, heads: heads.query + heads.keyValue, dimension: heads.dimension,
                    positions: positions[...], table: table)
            }
            layer.attention?.queryNorm?.differentiate(
                heads: heads.queries, inputs: record.raw, epsilon: epsilon, gradient: &fused,
                on: engine)
            layer.attention?.keyNorm?.differentiate(
                heads: heads.keys, inputs: record.raw, epsilon: epsilon, gradient: &fused,
                on: engine)
            let inputs = entry(layer.attentionNorm, record.entering)
            layer.attention?.fused.gather(fused, inputs: inputs, on: engine)
            layer.attention?.fused.gradientByInputs(fused, into: &context, on: engine)
            enter(&layer.attentionNorm, record.entering, context, addingTo: &gradient)
        }
    }

    /// Adds the gradient with respect to the terms of a layer's scores to that of the table of terms.
    private func add(
        _ gradient: ScoreBiasGradient, of heads: AttentionHeads, to table: inout Parameter?
    ) {
        guard table?.isFrozen == false else { return }
        for distance in gradient.distances {
            let bucket = PositionBiases.bucket(of: distance)
            for head in 0..<heads.query {
                table?.gradient[bucket, heads.biasRows?[head] ?? head] += gradient[head, distance]
            }
        }
    }

    /// Adds the output of a block to the residual stream.
    ///
    /// If there is a norm, the output is first stored in `output`, and then normalised.
    private func add(
        _ projection: TrainableLinear, of inputs: Activations, _ norm: TrainableNorm?,
        to stream: inout Activations, keeping output: inout Activations
    ) {
        guard factor != 1 || norm != nil else {
            return projection.apply(to: inputs, into: &stream, adding: true, on: engine)
        }
        var term = Activations()
        projection.apply(to: inputs, into: &term, on: engine)
        if let norm {
            output = term
            term = norm.applied(to: output, epsilon: epsilon, on: engine)
        }
        engine.add(term, times: factor, to: &stream)
    }

    /// Returns the gradient with respect to the output of a block before its output norm.
    ///
    /// `gradient` is the gradient with respect to the residual stream after the block. The gradient
    /// of the output norm's weights is added to `norm`.
    private func ofOutput(
        _ gradient: Activations, _ norm: inout TrainableNorm?, _ output: Activations
    ) -> Activations {
        var result = gradient
        engine.scale(&result, by: factor)
        return norm?.gradientByInputs(result, inputs: output, epsilon: epsilon, on: engine)
            ?? result
    }

    /// Returns the input of a block: the residual stream, after the norm if there is a pre-norm.
    private func entry(_ norm: TrainableNorm?, _ stream: Activations) -> Activations {
        guard place.normalisesInput, let norm else { return stream }
        return norm.applied(to: stream, epsilon: epsilon, on: engine)
    }

    /// Returns the residual stream after a block, and after the norm if there is a post-norm.
    private func stream(_ norm: TrainableNorm?, _ sum: Activations) -> Activations {
        guard place.normalisesSum, let norm else { return sum }
        return norm.applied(to: sum, epsilon: epsilon, on: engine)
    }

    /// Adds the gradient with respect to the input of a block to the gradient with respect to the
    /// residual stream before the block.
    ///
    /// If there is a pre-norm, the gradient is first propagated back through the norm.
    private func enter(
        _ norm: inout TrainableNorm?, _ stream: Activations, _ gradient: Activations,
        addingTo result: inout Activations
    ) {
        guard place.normalisesInput, norm != nil else {
            return engine.add(gradient, to: &result)
        }
        norm?.differentiate(
            gradient, inputs: stream, epsilon: epsilon, addingTo: &result, on: engine)
    }

    /// Runs the backward pass of a post-norm, if there is one.
    private func unnorm(
        _ norm: inout TrainableNorm?, _ sum: Activations, _ gradient: inout Activations
    ) {
        guard place.normalisesSum else { return }
        gradient =
            norm?.gradientByInputs(gradient, inputs: sum, epsilon: epsilon, on: engine) ?? gradient
    }

    /// Returns the input of the feed-forward block's last projection.
    private func active(_ record: LayerRecord) -> Activations {
        var active = Activations()
        engine.activate(record.inner, function, into: &active)
        return active
    }
}

extension AttentionHeads {
    /// The indices of the query heads and of the key heads in a fused projection.
    fileprivate var queries: Range<Int> { 0..<query }
    fileprivate var keys: Range<Int> { query..<query + keyValue }
}

extension TrainableLayer.Attention {
    /// The norms of heads, each with the heads that it normalises.
    fileprivate var normedHeads: [(Range<Int>, TrainableNorm)] {
        [(heads.queries, queryNorm), (heads.keys, keyNorm)].compactMap { heads, norm in
            norm.map { (heads, $0) }
        }
    }
}
