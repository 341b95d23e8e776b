public import Tensors
public import Transformers

/// What plans of a decoder are made from: how far coarse scores of words are off, and what leaving out
/// neurons comes to, over text.
public struct ContextualCalibration: Sendable {
    /// The share of words of the text for which the margin is enough: more would cost time for words
    /// that hardly come.
    public static let certainty = 0.9999

    /// The margin for coarse scores of words.
    public let headMargin: Float
    /// The channels of the last hidden state that are greatest, for coarse scores to take in 8 bits.
    public let headInputs: [Int]
    /// For each layer what leaving out neurons comes to; nil where there are none.
    public let layers: [NeuronCalibration?]
    /// For each layer what leaving out parts of its attention block comes to; nil where there is none.
    public let attention: [AttentionCalibration?]

    /// Runs a decoder over text, layer by layer.
    ///
    /// - Parameters:
    ///   - model: The decoder, packed.
    ///   - source: Where its weights came from.
    ///   - windows: Token windows, at least one.
    ///   - choices: The ways to tell neurons that plans are wanted for.
    ///   - densities: The shares of neurons that plans are wanted for.
    ///   - engine: What to run on.
    ///   - progress: Called with the layers done, and between; may throw to stop.
    /// - Throws: What reading weights and `progress` throw.
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
                        of: block, activation: model.shape.architecture.layer.activation,
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
                    of: source, fineInputs: states.greatestColumns(CoarseWeights.fineCount))
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
            margins.isEmpty ? 0 : margins[Int(Self.certainty * Double(margins.count - 1))]
    }

    /// Takes windows through a layer, and returns what enters its blocks and what their output
    /// projections take in, over all of them; nothing for blocks that are gone.
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

    /// A plan in which every layer's neurons are left out alike.
    ///
    /// - Parameters:
    ///   - choice: How neurons are told.
    ///   - density: The share of neurons that are to count, one of those calibrated for; all where
    ///     it is nil.
    ///   - screensHead: Whether words are looked at coarsely first.
    /// - Returns: The plan.
    public func plan(
        _ choice: NeuronChoice = .computed, density: Double?, screensHead: Bool
    ) -> ContextualPlan {
        plan(screensHead: screensHead) { component in
            component.kind == .feedForward
                ? density.map { DensityLevel(choice, density: $0) } : nil
        }
    }

    /// A plan.
    ///
    /// - Parameters:
    ///   - screensHead: Whether words are looked at coarsely first.
    ///   - level: What counts in a component; nil where all does.
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

    /// The level, of those calibrated for, that is told like another and computes most nearly a share
    /// of neurons; of attention the same level.
    public func level(
        like level: DensityLevel, computing computed: Double, in component: Component
    ) -> DensityLevel {
        let density =
            component.kind == .attention
            ? nil : layers[component.layer]?.density(level.choice, computing: computed)
        return DensityLevel(level.choice, density: density ?? level.density)
    }

    /// What a level comes to, of all units of a component or of some neurons; nil where nothing is
    /// left out.
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

    /// The share of words that a model which looks coarsely first chooses as it would by exact scores.
    ///
    /// - Parameters:
    ///   - model: The model, with its plan.
    ///   - windows: Token windows, at least one.
    ///   - engine: What to run on.
    ///   - progress: Called after each window; may throw to stop.
    /// - Returns: From 0 to 1, and over how many words.
    /// - Throws: What `progress` throws.
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
