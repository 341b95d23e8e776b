public import Tensors
internal import Transformers

/// Trains a decoder to foretell the next token, step by step.
public struct Trainer {
    /// How a training goes.
    public struct Settings: Sendable {
        /// How many steps.
        public var steps: Int
        /// The greatest learning rate.
        public var rate: Double
        /// How many steps the rate rises.
        public var warmUp = 0
        /// How the rate falls then.
        public var schedule = RateSchedule.cosine
        /// Sequences that go through the model together.
        public var batch = 8
        /// How many such batches make a step.
        public var accumulation = 1
        /// How likely a layer is left out of a pass.
        ///
        /// Source: Fan, Grave and Joulin, "LayerDrop", arXiv 1909.11556.
        public var layerDrop = 0.0
        /// Decides the order of the text and which layers are left out.
        public var seed: UInt64 = 1
        /// Weight decay and the greatest norm of gradients.
        public var optimiser = AdamW()
        /// Whether activations are computed anew on the way back, for less memory.
        public var recomputes = false

        /// Creates settings.
        public init(steps: Int, rate: Double) {
            (self.steps, self.rate) = (steps, rate)
        }
    }

    /// What one step came to.
    public struct Report: Codable, Sendable, Equatable {
        /// The mean negative log-likelihood of its tokens before the step, in nats.
        public let loss: Double
        /// The norm of the gradients before they were cut.
        public let norm: Double
        /// The learning rate.
        public let rate: Double
        /// Tokens that went through the model.
        public let tokens: Int
    }

    /// How the training goes.
    public let settings: Settings
    /// What is trained.
    public internal(set) var model: TrainableModel
    /// How many steps have been taken.
    public internal(set) var step = 0

    private var pass: TrainingPass
    private let text: [[Int32]]
    /// The order in which the text is seen the last time begun.
    private var order: (epoch: Int, places: [Int]) = (-1, [])

    /// Prepares to train.
    ///
    /// - Parameters:
    ///   - model: A decoder.
    ///   - text: Sequences of tokens, at least one of two tokens.
    ///   - settings: How the training goes.
    ///   - engine: What to compute on.
    public init(
        _ model: TrainableModel, on text: [[Int32]], settings: Settings, engine: Engine
    ) {
        precondition(text.contains { $0.count > 1 }, "text to train on")
        self.model = model
        self.text = text
        self.settings = settings
        pass = TrainingPass(model.shape, on: engine)
        pass.recomputes = settings.recomputes
    }

    /// Takes the next step.
    public mutating func advance() -> Report {
        let batches = (0..<settings.accumulation).map { batch(step * settings.accumulation + $0) }
        let predictions = batches.reduce(0) { $0 + $1.predictions }
        var loss = 0.0
        for (index, batch) in batches.enumerated() {
            loss += pass.crossEntropy(
                &model, batch, factor: 1 / Float(max(predictions, 1)),
                skipping: skipped(step * settings.accumulation + index))
        }
        let rate =
            settings.rate
            * settings.schedule.share(at: step, of: settings.steps, warmUp: settings.warmUp)
        let norm = settings.optimiser.step(&model, rate: Float(rate), on: pass.engine)
        step += 1
        return Report(
            loss: loss / Double(max(predictions, 1)), norm: norm, rate: rate,
            tokens: batches.reduce(0) { $0 + $1.ids.count })
    }

    /// The sequences of a pass: each once, in random order, before any comes again.
    private mutating func batch(_ pass: Int) -> TokenBatch {
        let sequences = (pass * settings.batch..<(pass + 1) * settings.batch).map { place in
            let (epoch, index) = place.quotientAndRemainder(dividingBy: text.count)
            if order.epoch != epoch {
                var random = SplitMix64(seed: settings.seed &+ UInt64(epoch))
                order = (epoch, text.indices.shuffled(using: &random))
            }
            return text[order.places[index]]
        }
        return TokenBatch(sequences)
    }

    /// The layers that a pass leaves out.
    private func skipped(_ pass: Int) -> Set<Int> {
        guard settings.layerDrop > 0 else { return [] }
        var random = SplitMix64(seed: ~settings.seed &+ UInt64(pass))
        return Set(
            model.layers.indices.filter { _ in
                Double.random(in: 0..<1, using: &random) < settings.layerDrop
            })
    }
}
