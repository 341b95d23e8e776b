public import Tensors
public import Transformers

/// Measurements of a decoder on a text, from which contextual plans are made.
///
/// They are the errors of coarse logits (see ``headMargin``), and the effect of each density in
/// each block. The density of a block is the share of its units that is computed for a token.
public struct ContextualCalibration: Sendable {
    /// The share of the text's tokens whose most likely next token stays the same with
    /// ``headMargin``.
    ///
    /// A larger share would need a larger margin. Then exact logits of more tokens would be computed.
    public static let marginQuantile = 0.9999

    /// The margin of coarse logits, which are computed with 4-bit weights.
    ///
    /// Exact logits are computed for vocabulary tokens whose coarse logit is at most this much
    /// below the highest coarse logit.
    public let headMargin: Float
    /// The channels of the last hidden state with the largest values, as ascending indices.
    ///
    /// The weights of these channels have 8 bits in coarse logits.
    public let headInputs: [Int]
    /// The effect of densities in each layer's feed-forward block; nil if the layer has no such
    /// block.
    public let layers: [NeuronCalibration?]
    /// The effect of densities in each layer's attention block; nil if the layer has no such block.
    public let attention: [AttentionCalibration?]

    /// Runs a decoder over text, layer by layer.
    ///
    /// - Parameters:
    ///   - model: The decoder, packed.
    ///   - source: The weights that it was packed from.
    ///   - windows: Token windows, at least one.
    ///   - choices: The methods to calibrate.
    ///   - densities: The densities to calibrate.
    ///   - engine: The engine to run on.
    ///   - progress: Called with the number of finished layers, also within a layer; may throw an
    ///     error to stop.
    /// - Throws: Errors of reading weights, and errors of `progress`.
    public init(
        of model: Model, source: some WeightSource, windows: [[Int32]],
        choices: [NeuronChoice], densities: [Double], engine: Engine,
        progress: (Int) throws -> Void = { _ in }
    ) throws {
        var pass = ForwardPass(model, on: engine)
        let batches = windows.map { TokenBatch([$0]) }
        var streams = batches.map { pass.embedded($0) }
        var (layers, attention): ([NeuronCalibration?], [AttentionCalibration?]) = ([], [])
        var earlier: [ComponentKind: Activations] = [:]
        for index in model.shape.layers.indices {
            let seen = Self.walk(index, &pass, batches, &streams)
            let weights = try source.layer(index)
            attention.append(
                try weights.attention.flatMap { block in
                    guard !choices.isEmpty, !densities.isEmpty, let seen = seen[.attention]
                    else { return nil }
                    return try AttentionCalibration(
                        of: block, headDimension: model.shape.headDimension, inputs: seen.inputs,
                        earlier: earlier[.attention], context: seen.values, choices: choices,
                        densities: densities, engine: engine
                    ) { try progress(index) }
                })
            layers.append(
                try weights.feedForward.flatMap { block in
                    guard !choices.isEmpty, !densities.isEmpty, let seen = seen[.feedForward]
                    else { return nil }
                    return try NeuronCalibration(
                        of: block, activation: model.shape.architecture.layer.epilogue,
                        inputs: seen.inputs, earlier: earlier[.feedForward],
                        values: seen.values, choices: choices, densities: densities,
                        engine: engine
                    ) { try progress(index) }
                })
            for (kind, seen) in seen { earlier[kind] = seen.inputs }
            try progress(index + 1)
        }
        (self.layers, self.attention) = (layers, attention)
        var (head, margins): (CoarseWeights?, [Float]) = (nil, [])
        for (batch, stream) in zip(batches, streams) {
            let states = pass.hiddenStates(of: batch, from: layers.count, entering: stream)
            let coarse =
                try head
                ?? Model.coarseHead(
                    of: source, fineInputs: states.topColumns(CoarseWeights.fineCount))
            head = coarse
            var part = Activations()
            for first in stride(from: 0, to: states.rows, by: 64) {
                engine.select(states, rows: first..<min(first + 64, states.rows), into: &part)
                margins += model.headMargins(of: part, coarse: coarse, on: engine)
            }
        }
        headInputs = head?.fineInputs ?? []
        margins.sort()
        headMargin =
            margins.isEmpty ? 0 : margins[Int(Self.marginQuantile * Double(margins.count - 1))]
    }

    /// Runs windows through a layer.
    ///
    /// - Returns: For each block of the layer, its inputs and the inputs of its last projection,
    ///   over all windows. A removed block has no entry.
    static func walk(
        _ layer: Int, _ pass: inout ForwardPass, _ batches: [TokenBatch],
        _ streams: inout [Activations]
    ) -> [ComponentKind: (inputs: Activations, values: Activations)] {
        var seen: [ComponentKind: (inputs: Activations, values: Activations)] = [:]
        for (place, batch) in batches.enumerated() {
            for kind in ComponentKind.allCases {
                let component = Component(layer: layer, kind: kind)
                guard
                    let given = pass.inputs(of: component, in: batch, entering: streams[place])
                else { continue }
                let entry = pass.entry(of: component, entering: streams[place])
                seen[kind, default: (Activations(), Activations())].inputs.append(entry)
                seen[kind]?.values.append(given)
                streams[place] = pass.stream(
                    after: component, entering: streams[place],
                    adding: pass.output(of: component, from: given))
            }
        }
        return seen
    }

    /// Returns a plan with the same density in every feed-forward block.
    ///
    /// - Parameters:
    ///   - choice: The method that selects neurons.
    ///   - density: The share of neurons to compute, one of the calibrated densities; nil to
    ///     compute all.
    ///   - screensHead: Whether the output head computes coarse logits first.
    /// - Returns: The plan.
    public func plan(
        _ choice: NeuronChoice = .computed, density: Double?, screensHead: Bool
    ) -> ContextualPlan {
        plan(screensHead: screensHead) { component in
            component.kind == .feedForward
                ? density.map { DensityLevel(choice, density: $0) } : nil
        }
    }

    /// Returns a plan with a density level for each component.
    ///
    /// - Parameters:
    ///   - screensHead: Whether the output head computes coarse logits first.
    ///   - level: Returns the density level of a component; nil to compute the whole component.
    /// - Returns: The plan.
    public func plan(
        screensHead: Bool, _ level: (Component) -> DensityLevel?
    ) -> ContextualPlan {
        ContextualPlan(
            headMargin: screensHead ? headMargin : nil, headInputs: screensHead ? headInputs : [],
            layers: layers.enumerated().map { index, layer in
                level(Component(layer: index, kind: .feedForward)).flatMap {
                    layer?.neurons($0.choice, density: $0.density)
                }
            },
            attention: attention.enumerated().map { index, layer in
                level(Component(layer: index, kind: .attention)).flatMap {
                    layer?.counted($0.choice, density: $0.density)
                }
            })
    }

    /// Returns the calibrated density level whose measured share of computed neurons is nearest to a
    /// given share.
    ///
    /// - Parameters:
    ///   - level: The density level whose method is used.
    ///   - computed: The share of neurons to compute.
    ///   - component: The component. For an attention block the result is `level`.
    /// - Returns: The density level with the nearest share.
    public func level(
        like level: DensityLevel, computing computed: Double, in component: Component
    ) -> DensityLevel {
        let density =
            component.kind == .attention
            ? nil : layers[component.layer]?.density(level.choice, computing: computed)
        return DensityLevel(level.choice, density: density ?? level.density)
    }

    /// Returns the effect of a density level on a component; nil if nothing is left out.
    ///
    /// If `kept` is not nil, only these neurons of a feed-forward block are counted.
    func totals(
        _ level: DensityLevel, of component: Component, kept: [Int]? = nil
    ) -> NeuronCalibration.Totals? {
        guard component.kind == .feedForward else {
            return attention[component.layer]?.totals(level.choice, density: level.density)
        }
        return layers[component.layer]?.level(level.choice, density: level.density).flatMap {
            guard $0.isPartial else { return nil }
            return kept.map($0.totals) ?? $0.total
        }
    }

    /// Returns the share of positions at which coarse and exact logits have the same top-1 token.
    ///
    /// - Parameters:
    ///   - model: The model, with its plan.
    ///   - windows: Token windows, at least one.
    ///   - engine: The engine to run on.
    ///   - progress: Called after each window; may throw an error to stop.
    /// - Returns: The share, from 0 to 1, and the number of compared tokens.
    /// - Throws: The errors of `progress`.
    public static func sameWords(
        of model: Model, on windows: [[Int32]], engine: Engine, progress: () throws -> Void = {}
    ) throws -> (share: Double, words: Int) {
        var exact = ForwardPass(model, on: engine)
        var greedy = ForwardPass(model, on: engine)
        greedy.isGreedy = true
        var (same, words) = (0, 0)
        for window in windows {
            let states = exact.hiddenStates(of: TokenBatch([window]))
            var chosen: [Int] = []
            exact.logits(from: states) { _, logits in chosen += engine.largestColumn(logits) }
            greedy.logits(from: states) { rows, logits in
                same += zip(engine.largestColumn(logits), chosen[rows]).count { $0 == $1 }
            }
            words += chosen.count
            try progress()
        }
        return (Double(same) / Double(words), words)
    }
}
