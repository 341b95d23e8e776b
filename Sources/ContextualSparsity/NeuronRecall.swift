internal import Pruning
public import Tensors
public import Transformers

/// The quality of a plan's selection of the units of one block, measured on text.
///
/// Units are neurons or query heads.
public struct NeuronRecall: Sendable, Equatable {
    /// The layer.
    public let layer: Int
    /// The kind of the block.
    public let kind: ComponentKind
    /// The method that selects units.
    public let choice: NeuronChoice
    /// The share of units that is computed.
    public let density: Double
    /// The share of the needed units that is computed.
    ///
    /// With ReLU, the needed neurons are the neurons with values above 0. With other activations,
    /// they are the neurons whose contribution justifies the time of computing them. If a token
    /// computes n heads, its needed heads are the n heads with the greatest contributions.
    public let recall: Double
    /// The computed units' share of a token's squared contributions, averaged over tokens.
    public let kept: Double
    /// The same share if each token computed the same number of units with the greatest
    /// contributions.
    public let keptByOracle: Double
    /// The expected share if each token computed the same number of units, chosen at random.
    public let keptAtRandom: Double

    /// Measures every block in which a plan leaves neurons or heads out.
    ///
    /// - Parameters:
    ///   - plan: The plan to measure.
    ///   - model: The dense decoder, packed.
    ///   - source: The weights that it was packed from.
    ///   - windows: Token windows that were not used to make the plan.
    ///   - engine: The engine to run on.
    ///   - progress: Called with the number of finished layers; may throw an error to stop.
    /// - Returns: One entry for each such block, in ascending order of layers.
    /// - Throws: Errors of reading weights, and errors of `progress`.
    public static func all(
        of plan: ContextualPlan, model: Model, source: some WeightSource, windows: [[Int32]],
        engine: Engine, progress: (Int) throws -> Void
    ) throws -> [NeuronRecall] {
        var pass = ForwardPass(model, on: engine)
        let batch = TokenBatch(windows)
        var streams = [pass.embedded(batch)]
        var found: [NeuronRecall] = []
        var earlier: [ComponentKind: Activations] = [:]
        for (index, (neurons, counted)) in zip(plan.layers, plan.attention).enumerated() {
            let seen = ContextualCalibration.walk(index, &pass, [batch], &streams)
            let weights = try source.layer(index)
            if case .heads(let predictor)? = counted, let seen = seen[.attention],
                let block = weights.attention
            {
                let source = predictor.looksAhead ? earlier[.attention] : seen.inputs
                found.append(
                    NeuronRecall(
                        headsOf: index, predictor, block, dimension: model.shape.headDimension,
                        inputs: source ?? seen.inputs, context: seen.values, engine: engine))
            }
            if let neurons, let seen = seen[.feedForward], let block = weights.feedForward {
                let isAhead = neurons.predictor?.looksAhead == true
                found.append(
                    NeuronRecall(
                        layer: index, neurons, block,
                        activation: model.shape.architecture.layer.epilogue,
                        inputs: (isAhead ? earlier[.feedForward] : nil) ?? seen.inputs,
                        values: seen.values, engine: engine))
            }
            for (kind, seen) in seen { earlier[kind] = seen.inputs }
            try progress(index + 1)
        }
        return found
    }

    private init(
        layer: Int, _ neurons: ContextualPlan.Neurons, _ block: FeedForwardWeights,
        activation: Epilogue, inputs: Activations, values: Activations, engine: Engine
    ) {
        let norms = UnitScores.columnNorms(block.down.weight)
        var scores = Activations()
        let predictor = neurons.predictor.map {
            NeuronPredictor($0, of: block, activation, precision: .f32)
        }
        if let predictor { engine.predict(inputs, predictor, into: &scores) }
        let factor = block.gate == nil ? Float(2).squareRoot() : Float(3).squareRoot()
        self.init(
            layer: layer, .feedForward,
            neurons.predictor.map(NeuronChoice.init) ?? .computed, tokens: values.rows,
            units: norms.count
        ) { row, unit in
            let value = values[row, unit]
            return Unit(
                contribution: value * norms[unit],
                isComputed: predictor.map { scores[row, unit] > $0.thresholds[unit] }
                    ?? (abs(value) > neurons.thresholds[unit]),
                isNeeded: activation == .relu
                    ? value > 0 : abs(value) > factor * neurons.thresholds[unit])
        }
    }

    private init(
        headsOf layer: Int, _ predictor: ContextualPlan.Predictor, _ block: AttentionWeights,
        dimension: Int, inputs: Activations, context: Activations, engine: Engine
    ) {
        let sizes = UnitScores.headSizes(
            context, norms: UnitScores.columnNorms(block.output.weight), headDimension: dimension)
        var scores = Activations()
        if case .lowRank(let down, let up) = predictor.method {
            engine.predict(
                inputs, NeuronPredictor(down: down, up: up, above: predictor.thresholds),
                into: &scores)
        }
        self.init(
            layer: layer, .attention, NeuronChoice(predictor), tokens: sizes.rows,
            units: sizes.columns
        ) { row, head in
            Unit(
                contribution: sizes[row, head],
                isComputed: scores[row, head] > predictor.thresholds[head], isNeeded: nil)
        }
    }

    /// One unit for one token.
    private struct Unit {
        var contribution: Float
        var isComputed: Bool
        /// Nil if the needed units are the units with the greatest contributions.
        var isNeeded: Bool?

        var square: Double { Double(contribution) * Double(contribution) }
    }

    private init(
        layer: Int, _ kind: ComponentKind, _ choice: NeuronChoice, tokens: Int, units: Int,
        _ unit: (_ row: Int, _ unit: Int) -> Unit
    ) {
        var (computed, needed, both) = (0, 0, 0)
        var (kept, oracle, random) = (0.0, 0.0, 0.0)
        for row in 0..<tokens {
            var all = (0..<units).map { unit(row, $0) }
            let count = all.count { $0.isComputed }
            let best = all.indices.sorted { (all[$0].square, $1) > (all[$1].square, $0) }
                .prefix(count)
            if all.first?.isNeeded == nil { for place in best { all[place].isNeeded = true } }
            computed += count
            needed += all.count { $0.isNeeded == true }
            both += all.count { $0.isNeeded == true && $0.isComputed }
            let total = all.reduce(0) { $0 + $1.square }
            guard total > 0 else { continue }
            kept += all.reduce(0) { $0 + ($1.isComputed ? $1.square : 0) } / total
            oracle += best.reduce(0) { $0 + all[$1].square } / total
            random += Double(count) / Double(units)
        }
        let rows = Double(max(1, tokens))
        (self.layer, self.kind, self.choice) = (layer, kind, choice)
        density = Double(computed) / (rows * Double(max(1, units)))
        recall = needed > 0 ? Double(both) / Double(needed) : 1
        (self.kept, keptByOracle, keptAtRandom) = (kept / rows, oracle / rows, random / rows)
    }
}

extension NeuronChoice {
    /// The method of a predictor.
    fileprivate init(_ predictor: ContextualPlan.Predictor) {
        switch predictor.method {
        case .coarse: self = .coarse
        case .gate: self = .gate
        case .lowRank(let down, _):
            self = predictor.looksAhead ? .lookAhead(down.rows) : .lowRank(down.rows)
        }
    }
}
