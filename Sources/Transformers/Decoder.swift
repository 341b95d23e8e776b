internal import Tensors

/// The layers of decoders, whose attention is causal.
///
/// If the norms are before the branches, a layer first computes `h += O·attention(norm(h))`. Let
/// `n = norm(h)`, and let f be the architecture's activation. The layer then computes
/// `h += D·(f(G·n) ⊙ U·n)` with a gate, or `h += D·f(U·n)` without a gate. See
/// ``LayerRecipe/NormPlace-swift.enum`` for other places of norms.
extension ForwardPass {
    /// The method of skipping the parts that a contextual plan names.
    private enum SkipMode {
        /// Nothing is skipped.
        case nothing
        /// Skipped values are set to 0, for any number of tokens.
        case clearing
        /// The weights of skipped parts are not read, for one token.
        case notReading
    }

    mutating func decoderLayer(_ index: Int, positions: [Int], sequences: [Range<Int>]) {
        let sparse = model.contextual?.attention[index]
        if let block = decoderContext(
            index, positions: positions, sequences: sequences, skipMode: .clearing)
        {
            let component = Component(layer: index, kind: .attention)
            if let sparse { clearContext(sparse, block.heads) }
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

    /// Sets to 0 those inputs of the attention block's output projection that a plan skips.
    private mutating func clearContext(_ sparse: Contextual.Attention, _ heads: AttentionHeads) {
        if case .heads(let predictor, let looksAhead) = sparse.form {
            let named = engine.named(
                by: predictor, for: looksAhead ? enteringAttention.earlier : normed)
            for (row, named) in named.enumerated() {
                let idle = Set(0..<heads.query).subtracting(named)
                context.clear(
                    row: row,
                    columns: idle.flatMap { $0 * heads.dimension..<($0 + 1) * heads.dimension })
            }
        }
        for row in 0..<context.rows { context.clear(row: row, notAbove: sparse.leavingThresholds) }
    }

    /// Stores the inputs of the attention block's output projection in `context`.
    ///
    /// Returns nil if there is no attention block.
    mutating func decoderContext(
        _ index: Int, positions: [Int], sequences: [Range<Int>]
    ) -> Model.Layer.Attention? {
        decoderContext(index, positions: positions, sequences: sequences, skipMode: .nothing)
    }

    private mutating func decoderContext(
        _ index: Int, positions: [Int], sequences: [Range<Int>], skipMode: SkipMode
    ) -> Model.Layer.Attention? {
        decoderContext(index, positions: positions, skipMode: skipMode) { pass, heads, _ in
            let precision = pass.model.formats.layers[index].attention
            pass.engine.roundKeysAndValues(of: &pass.fused, heads: heads, precision: precision)
            pass.engine.attend(
                pass.fused, heads: heads, sequences: sequences, causal: true,
                biases: pass.model.biases, precision: precision, into: &pass.context,
                scratch: &pass.scratch)
        }
    }

    /// Stores the inputs of the feed-forward block's down projection in `activation`.
    ///
    /// Returns nil if there is no feed-forward block.
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
        let skipMode = hidden.rows == 1 ? SkipMode.notReading : .nothing
        let block = decoderContext(
            index, positions: positions, skipMode: skipMode
        ) { pass, heads, named in
            pass.engine.store(
                &pass.fused, heads: heads, in: &cache.layers[index], after: cache.count)
            pass.engine.attend(
                pass.fused, heads: heads, cache: cache.layers[index],
                count: cache.count + positions.count / cache.sequences,
                biases: pass.model.biases,
                precision: pass.model.formats.layers[index].attention, named: named,
                into: &pass.context, scratch: &pass.scratch)
        }
        if hidden.rows == 1, let sparse = model.contextual?.attention[index] {
            let context = context
            addBranch(norm: model.layers[index].attentionOutputNorm, rows: 0..<1) {
                engine, stream, _ in
                engine.addProduct(
                    of: context, above: sparse.leavingThresholds, sparse.leaving, to: &stream)
                if let bias = sparse.leavingBias { stream.add(bias, toRow: 0) }
            }
        } else if let block {
            addBranch(
                context, block.output, norm: model.layers[index].attentionOutputNorm,
                rows: 0..<hidden.rows)
        }
        leave(model.layers[index].attentionNorm)
        let tokens = hidden.rows
        if let sparse = model.contextual?.layers[index],
            tokens == 1
                || sparse.isPredicted && tokens == cache.sequences
                    && tokens <= model.contextualSequences
        {
            decoderFeedForward(index, computing: sparse)
        } else {
            decoderFeedForward(index)
        }
        leave(model.layers[index].feedForwardNorm)
    }

    /// Computes the feed-forward block without reading the weights of the parts that a plan skips.
    ///
    /// It runs for one token, or for one token of each sequence.
    private mutating func decoderFeedForward(_ index: Int, computing sparse: Contextual.Layer) {
        let keeps = model.contextual?.looksAhead == true
        if keeps { enteringFeedForward.advance() }
        defer { if keeps { enteringFeedForward.append(normed) } }
        let norm = model.layers[index].feedForwardOutputNorm
        switch sparse.form {
        case .added(let rows, let bias):
            guard decoderActivation(index, rows: 0..<1) != nil else { return }
            let activation = activation
            addBranch(norm: norm, rows: 0..<1) { engine, stream, _ in
                engine.addProduct(of: activation, above: sparse.plan.thresholds, rows, to: &stream)
                if let bias { stream.add(bias, toRow: 0) }
            }
        case .predicted(let block):
            enter(model.layers[index].feedForwardNorm, rows: 0..<hidden.rows)
            let looksAhead = sparse.plan.predictor?.looksAhead == true
            let (inputs, seen) = (normed, looksAhead ? enteringFeedForward.earlier : normed)
            addBranch(norm: norm, rows: 0..<hidden.rows) { engine, stream, _ in
                engine.addFeedForward(of: inputs, predictedFrom: seen, block, to: &stream)
            }
        }
    }

    private mutating func decoderContext(
        _ index: Int, positions: [Int], skipMode: SkipMode,
        attend: (inout ForwardPass, AttentionHeads, _ named: [Int]?) -> Void
    ) -> Model.Layer.Attention? {
        let layer = model.layers[index]
        guard let block = layer.attention else { return nil }
        enter(layer.attentionNorm, rows: 0..<hidden.rows)
        fused.reshape(rows: hidden.rows, columns: block.heads.fusedWidth)
        let sparse = skipMode == .nothing ? nil : model.contextual?.attention[index]
        if skipMode != .nothing, model.contextual?.looksAhead == true {
            enteringAttention.advance()
            enteringAttention.append(normed)
        }
        var named: [Int]?
        switch (sparse?.form, skipMode) {
        case (.inputs(let rows, let bias, let thresholds), .notReading):
            fused.set(bias, row: 0)
            engine.addProduct(of: normed, above: thresholds, rows, to: &fused)
        case (.heads(let predictor, let looksAhead), .notReading):
            let found = engine.named(
                by: predictor, for: looksAhead ? enteringAttention.earlier : normed)[0]
            let dimension = block.heads.dimension
            engine.linear(
                normed, block.fused,
                outputs: found.map { $0 * dimension..<($0 + 1) * dimension }
                    + [block.heads.contextWidth..<block.heads.fusedWidth], into: &fused)
            named = found
        case (.inputs(_, _, let thresholds), _):
            for row in 0..<normed.rows { normed.clear(row: row, notAbove: thresholds) }
            engine.linear(normed, block.fused, into: &fused)
        default: engine.linear(normed, block.fused, into: &fused)
        }
        prepareHeads(block, ofLayer: index, positions: positions[...])
        context.reshape(rows: hidden.rows, columns: block.heads.contextWidth)
        attend(&self, block.heads, named)
        return block
    }

    /// Computes the feed-forward block.
    ///
    /// Activations that `sparse` skips are set to 0.
    private mutating func decoderFeedForward(
        _ index: Int, leavingOut sparse: Contextual.Layer? = nil
    ) {
        let keeps = model.contextual?.looksAhead == true
        if keeps, model.layers[index].feedForward != nil { enteringFeedForward.advance() }
        for rows in chunks(of: hidden.rows) {
            guard let block = decoderActivation(index, rows: rows) else { return }
            if keeps { enteringFeedForward.append(normed) }
            if let sparse {
                if case .predicted(let block) = sparse.form {
                    engine.clear(
                        &activation,
                        exceptPredictedFrom: sparse.plan.predictor?.looksAhead == true
                            ? engine.selecting(rows: rows, of: enteringFeedForward.earlier)
                            : normed,
                        block.predictor)
                }
                for row in 0..<rows.count {
                    activation.clear(row: row, notAbove: sparse.plan.thresholds)
                }
            }
            let component = Component(layer: index, kind: .feedForward)
            observer?.filter(component, inputs: &activation)
            observer?.willProject(component, inputs: activation)
            addBranch(
                activation, block.down, norm: model.layers[index].feedForwardOutputNorm, rows: rows)
        }
    }
}
