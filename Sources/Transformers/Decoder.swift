internal import Tensors

/// The layers of decoders, whose attention is causal.
///
/// With norms before the branches, a layer computes `h += O·attention(norm(h))`. Then with
/// `n = norm(h)` it computes `h += D·(f(G·n) ⊙ U·n)` if it has a gate, or else `h += D·f(U·n)`
/// with the architecture's activation f. See ``LayerRecipe/NormPlace-swift.enum`` for other places
/// of norms.
extension ForwardPass {
    /// The method of skipping the parts that a contextual plan names.
    private enum Omission {
        /// Nothing is skipped.
        case nothing
        /// Skipped values are set to 0, for any number of tokens.
        case clearing
        /// The weights of skipped parts are not read, for one token.
        case notReading
    }

    mutating func decoderLayer(_ index: Int, positions: [Int], sequences: [Range<Int>]) {
        let few = model.contextual?.attention[index]
        if let block = decoderContext(
            index, positions: positions, sequences: sequences, omission: .clearing)
        {
            let component = Component(layer: index, kind: .attention)
            if let few { clearContext(few, block.heads) }
            observer?.filter(component, inputs: &context)
            observer?.willProject(component, inputs: context)
            addBranch(
                context, block.output, norm: model.layers[index].attentionOutputNorm,
                rows: 0..<hidden.rows)
        }
        leave(model.layers[index].attentionNorm)
        decoderFeedForward(index, leavingOut: model.contextual?.layers[index])
        leave(model.layers[index].feedForwardNorm)
    }

    /// Sets the inputs of the attention block's output projection that a plan skips to 0.
    private mutating func clearContext(_ few: Contextual.Attention, _ heads: AttentionHeads) {
        if case .heads(let predictor, let looksAhead) = few.form {
            let named = engine.named(
                by: predictor, for: looksAhead ? enteringAttention.earlier : normed)
            for (row, named) in named.enumerated() {
                let idle = Set(0..<heads.query).subtracting(named)
                context.clear(
                    row: row,
                    columns: idle.flatMap { $0 * heads.dimension..<($0 + 1) * heads.dimension })
            }
        }
        for row in 0..<context.rows { context.clear(row: row, notAbove: few.leavingLeast) }
    }

    /// Stores the inputs of the attention block's output projection in `context`.
    ///
    /// It returns nil if there is no attention block.
    mutating func decoderContext(
        _ index: Int, positions: [Int], sequences: [Range<Int>]
    ) -> Model.Layer.Attention? {
        decoderContext(index, positions: positions, sequences: sequences, omission: .nothing)
    }

    private mutating func decoderContext(
        _ index: Int, positions: [Int], sequences: [Range<Int>], omission: Omission
    ) -> Model.Layer.Attention? {
        decoderContext(index, positions: positions, omission: omission) { pass, heads, _ in
            pass.engine.attend(
                pass.fused, heads: heads, sequences: sequences, causal: true,
                precision: pass.model.precision, into: &pass.context, scratch: &pass.scratch)
        }
    }

    /// Stores the inputs of the feed-forward block's output projection in `activation`.
    ///
    /// It returns nil if there is no feed-forward block.
    mutating func decoderActivation(_ index: Int, rows: Range<Int>) -> Model.Layer.FeedForward? {
        let layer = model.layers[index]
        guard let block = layer.feedForward else { return nil }
        enter(layer.feedForwardNorm, rows: rows)
        activation.reshape(rows: rows.count, columns: block.up.outputs)
        engine.linear(
            normed, block.up, into: &activation, model.shape.architecture.layer.epilogue)
        return block
    }

    mutating func decoderLayer(_ index: Int, positions: [Int], cache: inout KeyValueCache) {
        let omission = hidden.rows == 1 ? Omission.notReading : .nothing
        let block = decoderContext(
            index, positions: positions, omission: omission
        ) { pass, heads, named in
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
                precision: pass.model.precision, named: named, into: &pass.context,
                scratch: &pass.scratch)
        }
        if hidden.rows == 1, let few = model.contextual?.attention[index] {
            let context = context
            addBranch(norm: model.layers[index].attentionOutputNorm, rows: 0..<1) {
                engine, stream, _ in
                engine.addProduct(of: context, above: few.leavingLeast, few.leaving, to: &stream)
                if let bias = few.leavingBias { stream.add(bias, toRow: 0) }
            }
        } else if let block {
            addBranch(
                context, block.output, norm: model.layers[index].attentionOutputNorm,
                rows: 0..<hidden.rows)
        }
        leave(model.layers[index].attentionNorm)
        let tokens = hidden.rows
        if let few = model.contextual?.layers[index],
            tokens == 1
                || few.isPredicted && tokens == cache.sequences
                    && tokens <= model.contextualSequences
        {
            decoderFeedForward(index, computing: few)
        } else {
            decoderFeedForward(index)
        }
        leave(model.layers[index].feedForwardNorm)
    }

    /// Computes the feed-forward block without reading the weights of the parts that a plan skips.
    ///
    /// There is one token, or one token of each sequence.
    private mutating func decoderFeedForward(_ index: Int, computing few: Contextual.Layer) {
        let keeps = model.contextual?.looksAhead == true
        if keeps { enteringFeedForward.advance() }
        defer { if keeps { enteringFeedForward.append(normed) } }
        let norm = model.layers[index].feedForwardOutputNorm
        switch few.form {
        case .added(let rows, let bias):
            guard decoderActivation(index, rows: 0..<1) != nil else { return }
            let activation = activation
            addBranch(norm: norm, rows: 0..<1) { engine, stream, _ in
                engine.addProduct(of: activation, above: few.plan.least, rows, to: &stream)
                if let bias { stream.add(bias, toRow: 0) }
            }
        case .predicted(let block):
            enter(model.layers[index].feedForwardNorm, rows: 0..<hidden.rows)
            let looksAhead = few.plan.predictor?.looksAhead == true
            let (inputs, seen) = (normed, looksAhead ? enteringFeedForward.earlier : normed)
            addBranch(norm: norm, rows: 0..<hidden.rows) { engine, stream, _ in
                engine.addFeedForward(of: inputs, predictedFrom: seen, block, to: &stream)
            }
        }
    }

    private mutating func decoderContext(
        _ index: Int, positions: [Int], omission: Omission,
        attend: (inout ForwardPass, AttentionHeads, _ named: [Int]?) -> Void
    ) -> Model.Layer.Attention? {
        let layer = model.layers[index]
        guard let block = layer.attention else { return nil }
        enter(layer.attentionNorm, rows: 0..<hidden.rows)
        fused.reshape(rows: hidden.rows, columns: block.heads.fusedWidth)
        let few = omission == .nothing ? nil : model.contextual?.attention[index]
        if omission != .nothing, model.contextual?.looksAhead == true {
            enteringAttention.advance()
            enteringAttention.append(normed)
        }
        var named: [Int]?
        switch (few?.form, omission) {
        case (.inputs(let rows, let bias, let least), .notReading):
            fused.set(bias, row: 0)
            engine.addProduct(of: normed, above: least, rows, to: &fused)
        case (.heads(let predictor, let looksAhead), .notReading):
            let found = engine.named(
                by: predictor, for: looksAhead ? enteringAttention.earlier : normed)[0]
            let dimension = block.heads.dimension
            engine.linear(
                normed, block.fused,
                outputs: found.map { $0 * dimension..<($0 + 1) * dimension }
                    + [block.heads.contextWidth..<block.heads.fusedWidth], into: &fused)
            named = found
        case (.inputs(_, _, let least), _):
            for row in 0..<normed.rows { normed.clear(row: row, notAbove: least) }
            engine.linear(normed, block.fused, into: &fused)
        default: engine.linear(normed, block.fused, into: &fused)
        }
        prepareHeads(block, ofLayer: index, positions: positions[...])
        context.reshape(rows: hidden.rows, columns: block.heads.contextWidth)
        attend(&self, block.heads, named)
        return block
    }

    /// Computes the feed-forward block; with a plan, skipped activations are set to 0.
    private mutating func decoderFeedForward(
        _ index: Int, leavingOut few: Contextual.Layer? = nil
    ) {
        let keeps = model.contextual?.looksAhead == true
        if keeps, model.layers[index].feedForward != nil { enteringFeedForward.advance() }
        for rows in chunks(of: hidden.rows) {
            guard let block = decoderActivation(index, rows: rows) else { return }
            if keeps { enteringFeedForward.append(normed) }
            if let few {
                if case .predicted(let block) = few.form {
                    engine.clear(
                        &activation,
                        exceptPredictedFrom: few.plan.predictor?.looksAhead == true
                            ? engine.selecting(rows: rows, of: enteringFeedForward.earlier)
                            : normed,
                        block.predictor)
                }
                for row in 0..<rows.count { activation.clear(row: row, notAbove: few.plan.least) }
            }
            let component = Component(layer: index, kind: .feedForward)
            observer?.filter(component, inputs: &activation)
            observer?.willProject(component, inputs: activation)
            addBranch(
                activation, block.down, norm: model.layers[index].feedForwardOutputNorm, rows: rows)
        }
    }
}
