public import Tensors
internal import Transformers

/// The data that a model is trained on.
public enum TrainingData: Sendable {
    /// Sequences of tokens, for a decoder. Each token is predicted from all earlier tokens.
    case text([TextSequence])
    /// Sequences of tokens on disk, for a decoder.
    case stored(SequenceFile)
    /// Sequences with labels, for an encoder with a head.
    case labelled([LabelledSequence])

    /// The number of sequences.
    public var count: Int {
        switch self {
        case .text(let sequences): sequences.count
        case .stored(let sequences): sequences.count
        case .labelled(let sequences): sequences.count
        }
    }
}

extension TrainingData {
    /// Returns the tokens of sequences from random places.
    ///
    /// - Parameter tokens: The number of tokens to exceed; fewer if the data has fewer.
    /// - Returns: The tokens of each sequence.
    /// - Throws: What reading the sequences throws.
    public func sequences(tokens: Int) throws -> [[Int32]] {
        func ids(_ index: Int) throws -> [Int32] {
            switch self {
            case .text(let sequences): sequences[index].ids
            case .stored(let sequences): try sequences[index].ids
            case .labelled(let sequences): sequences[index].ids
            }
        }
        var (found, sum) = ([[Int32]](), 0)
        var random = SplitMix64(seed: 1)
        for place in (0..<count).shuffled(using: &random) {
            guard sum < tokens else { break }
            found.append(try ids(place))
            sum += found[found.count - 1].count
        }
        return found
    }

    /// Returns the sequences of tokens at some places; empty if the data has labels.
    fileprivate func texts(at places: [Int]) throws -> [TextSequence] {
        switch self {
        case .text(let sequences): places.map { sequences[$0] }
        case .stored(let sequences): try places.map { try sequences[$0] }
        case .labelled: []
        }
    }
}

/// A sequence of tokens for a decoder.
///
/// The decoder is trained on all tokens, or only on the tokens after a prompt.
public struct TextSequence: Sendable, Equatable {
    /// The tokens.
    public var ids: [Int32]
    /// The index of the first trained token: 1, or the index of the first token after a prompt.
    public var lossStart: Int

    /// Creates a sequence.
    public init(_ ids: [Int32], lossStart: Int = 1) {
        (self.ids, self.lossStart) = (ids, max(1, lossStart))
    }

    /// The target of every token, which is the next token; -1 for tokens without a target.
    var targets: [Int32] {
        ids.indices.map { $0 + 1 < ids.count && $0 + 1 >= lossStart ? ids[$0 + 1] : -1 }
    }
}

/// A sequence of tokens with its label.
public struct LabelledSequence: Sendable, Equatable {
    /// The tokens.
    public var ids: [Int32]
    /// The token type id of each token.
    public var typeIDs: [Int32]
    /// The label.
    public var label: Label

    /// Creates a sequence.
    public init(ids: [Int32], typeIDs: [Int32], label: Label) {
        (self.ids, self.typeIDs, self.label) = (ids, typeIDs, label)
    }
}

/// Trains a model step by step.
public struct Trainer {
    /// The settings of a training run.
    public struct Settings: Sendable {
        /// The number of steps.
        public var steps: Int
        /// The maximum learning rate.
        public var rate: Double
        /// The number of warm-up steps.
        public var warmUp = 0
        /// The schedule of the learning rate after the warm-up.
        public var schedule = RateSchedule.cosine
        /// The number of sequences in a batch.
        public var batch = 8
        /// The number of batches whose gradients are accumulated for one step.
        public var accumulation = 1
        /// The LayerDrop probability: the probability that a layer is skipped in a pass.
        ///
        /// Source: Fan, Grave and Joulin, "LayerDrop", arXiv 1909.11556.
        public var layerDrop = 0.0
        /// The seed of the order of the data, of the skipped layers and of generated text.
        public var seed: UInt64 = 1
        /// Weight decay and the maximum norm of gradients.
        public var optimiser = AdamW()
        /// The precision of products: `f32`, `f16` or `bf16`.
        ///
        /// The trainer ignores it. The code that creates the model and its teacher uses it.
        public var precision = Precision.f32
        /// The teacher, if there is one.
        public var distillation: Distillation?
        /// Whether activations are recomputed in the backward pass, to use less memory.
        public var recomputes = false
        /// Whether the tables of embeddings and a decoder's head are frozen.
        public var freezesEmbeddings = false

        /// Creates settings.
        public init(steps: Int, rate: Double) {
            (self.steps, self.rate) = (steps, rate)
        }
    }

    /// The result of one step.
    public struct Report: Codable, Sendable, Equatable {
        /// The mean loss of the step's tokens or labels, before the weights change.
        public let loss: Double
        /// The norm of the gradients before clipping.
        public let norm: Double
        /// The learning rate.
        public let rate: Double
        /// The number of tokens in the step.
        public let tokens: Int
    }

    /// The settings of the training run.
    public let settings: Settings
    /// The trained model.
    public internal(set) var model: TrainableModel
    /// The number of finished steps.
    public internal(set) var step = 0

    var pass: TrainingPass
    private let data: TrainingData
    /// The order of the data in the current epoch.
    private var order: (epoch: Int, places: [Int]) = (-1, [])

    /// Prepares to train.
    ///
    /// - Parameters:
    ///   - model: A decoder for text, or an encoder with a classifier for labels.
    ///   - data: The data, with at least one sequence.
    ///   - settings: The settings.
    ///   - engine: The engine.
    public init(
        _ model: TrainableModel, on data: TrainingData, settings: Settings, engine: Engine
    ) {
        precondition(data.count > 0, "there are no sequences to train on")
        self.model = model
        if settings.freezesEmbeddings { self.model.freezeEmbeddings() }
        self.data = data
        self.settings = settings
        pass = TrainingPass(model.shape, on: engine)
        pass.recomputes = settings.recomputes
    }

    /// Takes the next step.
    ///
    /// - Throws: An error if the data cannot be read, or if the student generates text and its
    ///   weights cannot be packed or its logits are NaN.
    public mutating func advance() throws -> Report {
        let passes = (0..<settings.accumulation).map { step * settings.accumulation + $0 }
        let chosen = passes.map { places(of: $0) }
        var (loss, terms, tokens) = (0.0, 0, 0)
        switch data {
        case .text, .stored:
            let writer = generatesOwnText ? try Model(model) : nil
            let texts = try zip(passes, chosen).map { pass, places in
                let given = try data.texts(at: places)
                return try writer.map { try rewritten(given, by: $0, pass) } ?? given
            }
            let targets = texts.map { $0.flatMap(\.targets) }
            terms = targets.reduce(0) { $0 + $1.count { $0 >= 0 } }
            tokens = texts.joined().reduce(0) { $0 + $1.ids.count }
            for (index, pass) in passes.enumerated() {
                let batch = TokenBatch(texts[index].map(\.ids))
                if let distillation = settings.distillation {
                    loss +=
                        self.pass.distil(
                            &model, by: distillation, batch, targets: targets[index],
                            factor: 1 / Float(tokens), skipping: skipped(pass)) * Double(terms)
                } else {
                    loss += self.pass.crossEntropy(
                        &model, batch, targets: targets[index], factor: 1 / Float(max(terms, 1)),
                        skipping: skipped(pass))
                }
            }
        case .labelled(let sequences):
            terms = chosen.reduce(0) { $0 + $1.count }
            for (pass, places) in zip(passes, chosen) {
                let examples = places.map { sequences[$0] }
                let batch = TokenBatch(examples.map { ($0.ids, $0.typeIDs) })
                tokens += batch.ids.count
                loss += self.pass.labelLoss(
                    &model, batch, labels: examples.map(\.label), by: settings.distillation,
                    factor: 1 / Float(terms), skipping: skipped(pass))
            }
        }
        let rate =
            settings.rate
            * settings.schedule.share(at: step, of: settings.steps, warmUp: settings.warmUp)
        let norm = settings.optimiser.step(&model, rate: Float(rate), on: pass.engine)
        step += 1
        return Report(
            loss: loss / Double(max(terms, 1)), norm: norm, rate: rate, tokens: tokens)
    }

    /// Whether the student generates a part of this step's text.
    private var generatesOwnText: Bool {
        guard let share = settings.distillation?.onPolicyShare, share > 0 else { return false }
        var random = SplitMix64(seed: settings.seed ^ 0x5ca1e &+ UInt64(step) << 20)
        return Double.random(in: 0..<1, using: &random) < share
    }

    /// Replaces the second halves or completions of sequences by text that the student generates.
    private func rewritten(
        _ given: [TextSequence], by student: Model, _ pass: Int
    ) throws -> [TextSequence] {
        let lengths = given.map { $0.lossStart > 1 ? $0.lossStart : max(1, $0.ids.count / 2) }
        let written = try SampledText.sequences(
            from: student, on: self.pass.engine,
            continuing: zip(given, lengths).map { Array($0.ids.prefix($1)) },
            length: given.reduce(1) { max($0, $1.ids.count) },
            seed: settings.seed &+ UInt64(pass) &* 0x9e37_79b9
        ) { _ in }
        return zip(written, given).map { own, given in
            TextSequence(Array(own.prefix(given.ids.count)), lossStart: given.lossStart)
        }
    }

    /// Returns the sequences of a pass, in random order.
    ///
    /// Every sequence is used once in each epoch.
    private mutating func places(of pass: Int) -> [Int] {
        (pass * settings.batch..<(pass + 1) * settings.batch).map { place in
            let (epoch, index) = place.quotientAndRemainder(dividingBy: data.count)
            if order.epoch != epoch {
                var random = SplitMix64(seed: settings.seed &+ UInt64(epoch))
                order = (epoch, (0..<data.count).shuffled(using: &random))
            }
            return order.places[index]
        }
    }

    /// Returns the layers that a pass skips.
    private func skipped(_ pass: Int) -> Set<Int> {
        guard settings.layerDrop > 0 else { return [] }
        var random = SplitMix64(seed: ~settings.seed &+ UInt64(pass))
        return Set(
            model.layers.indices.filter { _ in
                Double.random(in: 0..<1, using: &random) < settings.layerDrop
            })
    }
}
