internal import Pruning
public import Tensors
public import Transformers

/// How well a plan tells the neurons of one layer that tokens need, over text.
public struct NeuronRecall: Sendable, Equatable {
    /// The layer.
    public let layer: Int
    /// How neurons are told.
    public let choice: NeuronChoice
    /// The share of neurons that is computed.
    public let density: Double
    /// Of the neurons that are needed, the share that is computed: of ReLU those that are not 0, of
    /// others those that contribute as much as is worth computing.
    public let recall: Double
    /// The share of a token's squared contributions that those computed make, in the mean.
    public let kept: Double
    /// The same for as many neurons of each token, those that contribute most.
    public let keptByOracle: Double
    /// The same for as many at random, in expectation.
    public let keptAtRandom: Double

    /// Looks at every layer in which a plan leaves neurons out.
    ///
    /// - Parameters:
    ///   - plan: What to judge.
    ///   - model: The dense decoder, packed.
    ///   - source: Where its weights came from.
    ///   - windows: Token windows that the plan was not made from.
    ///   - engine: What to run on.
    ///   - progress: Called with the layers done; may throw to stop.
    /// - Returns: The layers, ascending.
    /// - Throws: What reading weights and `progress` throw.
    public static func all(
        of plan: ContextualPlan, model: Model, source: some WeightSource, windows: [[Int32]],
        engine: Engine, progress: (Int) throws -> Void
    ) throws -> [NeuronRecall] {
        var pass = ForwardPass(model, on: engine)
        let batch = TokenBatch(windows)
        var streams = [pass.embedded(batch)]
        var found: [NeuronRecall] = []
        for (index, neurons) in plan.layers.enumerated() {
            let seen = try ContextualCalibration.walk(index, &pass, [batch], &streams)
            if let neurons, let seen = seen[.feedForward],
                let block = try source.layer(index).feedForward
            {
                found.append(
                    NeuronRecall(
                        layer: index, neurons, block,
                        activation: model.shape.architecture.activation,
                        inputs: seen.inputs, values: seen.values, engine: engine))
            }
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
        let worth = block.gate == nil ? Float(2).squareRoot() : Float(3).squareRoot()
        var (computed, needed, both) = (0, 0, 0)
        var (kept, oracle, random) = (0.0, 0.0, 0.0)
        let width = norms.count
        for row in 0..<values.rows {
            var (total, own, count) = (0.0, 0.0, 0)
            let squares = (0..<width).map { unit -> Double in
                let value = values[row, unit]
                let square = Double(value * norms[unit]) * Double(value * norms[unit])
                let isNeeded =
                    activation == .relu ? value > 0 : abs(value) > worth * neurons.least[unit]
                let isComputed =
                    predictor.map { scores[row, unit] > $0.least[unit] }
                    ?? (abs(value) > neurons.least[unit])
                total += square
                needed += isNeeded ? 1 : 0
                if isComputed {
                    count += 1
                    own += square
                    both += isNeeded ? 1 : 0
                }
                return square
            }
            computed += count
            guard total > 0 else { continue }
            kept += own / total
            oracle += squares.sorted(by: >).prefix(count).reduce(0, +) / total
            random += Double(count) / Double(width)
        }
        let tokens = Double(max(1, values.rows))
        self.layer = layer
        choice =
            switch neurons.predictor?.method {
            case nil: .computed
            case .coarse: .coarse
            case .gate: .gate
            case .lowRank(let down, _): .lowRank(down.rows)
            }
        density = Double(computed) / (tokens * Double(width))
        recall = needed > 0 ? Double(both) / Double(needed) : 1
        (self.kept, keptByOracle, keptAtRandom) = (kept / tokens, oracle / tokens, random / tokens)
    }
}
