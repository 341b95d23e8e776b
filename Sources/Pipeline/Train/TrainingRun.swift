internal import CHost
internal import ModelFiles
internal import Pruning
internal import Reporting
internal import Tensors
internal import Training
internal import Transformers

/// The result of a training.
public struct TrainingResult: Codable, Sendable {
    /// The number of steps.
    public let steps: Int
    /// The number of tokens that were processed in these steps.
    public let trainedTokens: Int
    /// The metric on the evaluation set, such as `perplexity` or `acc`.
    public let measure: String
    /// The metric before the training.
    public let before: Double
    /// The metric after the training.
    public let after: Double
    /// The number of tokens of the evaluation set, or of items if it is a task.
    public let heldOut: Int
    /// The tokens per second in the steps of this run, which may not be all steps.
    public let tokensPerSecond: Double
    /// The time of the steps of this run.
    public let seconds: Double
    /// The peak memory of this process so far.
    public let peakBytes: Int
    /// The directory of the model.
    public internal(set) var path: String
}

/// A training, from its first step or its last checkpoint, to the finished model.
final class TrainingRun {
    private let options: TrainingOptions
    private let opened: OpenedModel
    private let engine: Engine
    private let progress: any JobProgress
    private let directory: RunDirectory
    private let set: TrainingSet

    private enum Product {
        static let state = "work/state.safetensors"
        static let losses = "work/losses.json"
        static let before = "work/before.json"
        static let answers = "work/teacher.jsonl"
        static let sequences = "work/sequences.bin"
        static let answer = "training.json"
        static let model = "model"
    }

    /// Reads the data, and locks the directory.
    ///
    /// - Throws: `ModelFileError` if the data does not suit the model or is too short.
    init(_ options: TrainingOptions, progress: any JobProgress) throws {
        try options.check()
        self.progress = progress
        opened = try OpenedModel(options.model, progress: progress)
        engine = Engine(threads: options.threads)
        var options = options
        if options.takesLayerDrop {
            options.settings.layerDrop = opened.checkpoint.config.layerDrop
        }
        var digests = ["model": try FileDigest.ofModel(opened.location.path)]
        let blackBox = options.teacher.flatMap { BlackBox($0.model) }
        if let teacher = options.teacher {
            digests["--teacher"] =
                try blackBox?.command
                ?? FileDigest.ofModel(try ModelLocation(teacher.model, progress: progress).path)
        }
        let files = try FileDigest.ofTrainingFiles(
            text: options.text, task: options.task, validation: options.validation)
        for more in [files, options.digests] { digests.merge(more) { known, _ in known } }
        directory = try RunDirectory(
            options.output, for: .training, inputs: digests, reading: try options.paths(progress),
            restarting: options.restarts)
        if let blackBox {
            guard !opened.shape.architecture.isEncoder else {
                throw ModelFileError(
                    file: opened.location.path,
                    problem: "an encoder cannot be trained on generated text",
                    remedy: "name a decoder, or give --teacher a model")
            }
            let answers = directory.product(Product.answers)
            if !directory.has(Product.answers) {
                let reader = TrainingText(
                    tokenizer: try opened.checkpoint.tokenizer(),
                    length: min(options.length, opened.shape.maximumPositions))
                let prompts = try reader.prompts(of: options.text)
                try progress.stage("Getting completions from the teacher") {
                    try blackBox.answer(prompts, to: answers, progress: progress)
                }
            }
            (options.text, options.teacher) = ([answers], nil)
        }
        self.options = options
        let (model, run) = (opened, directory)
        set = try run.leavingNothingUnused { [options] in
            let set = try TrainingSet(options, for: model, in: run.product(Product.sequences))
            if set.head == nil { try HuggingFaceDirectory.check(model.checkpoint) }
            return set
        }
    }

    /// Trains to the end, and evaluates.
    func finish() throws -> TrainingResult {
        if directory.has(Product.model),
            var known = directory.read(TrainingResult.self, Product.answer)
        {
            known.path = directory.product(Product.model)
            return known
        }
        let classifier = try set.head.map {
            try opened.checkpoint.classifier($0, seed: options.settings.seed)
        }
        // Weights and two moments of each.
        try opened.requireMemory(3 * MemoryLayout<Float>.size * opened.shape.parameters)
        var settings = options.settings
        settings.distillation = try distillation(head: classifier?.kind)
        var trainer = Trainer(
            try TrainableModel(
                opened.checkpoint, classifier: classifier, precision: settings.precision),
            on: set.data,
            settings: settings, engine: engine)
        let before =
            try directory.read(HeldOutScore.self, Product.before)
            ?? evaluate(
                trainer, against: settings.distillation?.teacher, "Evaluating before the training")
        try directory.write(before, Product.before)
        var losses: [Trainer.Report] = []
        if directory.has(Product.state) {
            try trainer.readState(from: directory.product(Product.state))
            losses = directory.read([Trainer.Report].self, Product.losses) ?? []
            losses = Array(losses.prefix(trainer.step))
        }
        let (tokens, seconds) = try train(&trainer, &losses)
        let path = directory.product(Product.model)
        let source = try rounded(trainer.model)
        let formats = opened.checkpoint.formats
        try progress.counting(
            "Writing \(path)", total: opened.shape.layers.count, unit: "layers"
        ) { advance in
            try HuggingFaceDirectory.write(
                source, like: opened.checkpoint, to: path,
                classifier: trainer.model.classifier,
                layerDrop: max(settings.layerDrop, opened.checkpoint.config.layerDrop) > 0
                    ? settings.layerDrop : nil, formats: formats, progress: advance)
            try advance(opened.shape.layers.count)
        }
        let model = try formats.map { try Model(Checkpoint(path), formats: $0) }
        let after = try set.evaluate(
            model ?? Model(trainer.model), trainer.model.classifier,
            against: settings.distillation?.teacher, of: opened, after: trainer.step,
            engine: engine, "Evaluating after the training")
        let answer = TrainingResult(
            steps: trainer.step, trainedTokens: losses.reduce(0) { $0 + $1.tokens },
            measure: after.measure, before: before.value, after: after.value,
            heldOut: set.heldOutCount, tokensPerSecond: Double(tokens) / seconds,
            seconds: seconds,
            peakBytes: Int(host_peak_resident_bytes()), path: path)
        try directory.write(answer, Product.answer)
        return answer
    }

    /// Returns the trained weights, rounded to the formats of the model that was trained.
    ///
    /// Weights in 4 bits are rounded by ``GPTQ`` on training sequences.
    private func rounded(_ model: TrainableModel) throws -> any WeightSource {
        guard let formats = opened.checkpoint.formats else { return model }
        let examples = batches(
            of: try set.data.sequences(tokens: Self.roundingTokens), tokens: 2048)
        var source: any WeightSource = model
        if let grid = WeightGrid(roundingTo: formats.head) {
            let weight = model.head().output ?? model.embeddings().tokens
            let codes = try progress.stage("Rounding the output head") {
                try HeadRounding.rounded(
                    weight, to: grid, inputsFrom: Model(model), on: examples, engine: engine)
            }
            source = WithRoundedHead(model, codes)
        }
        if opened.shape.components.contains(where: { WeightGrid(roundingTo: formats[$0]) != nil }) {
            let rounding = try LayerRounding(source, to: formats, on: examples, engine: engine)
            source = try progress.counting(
                "Rounding", total: opened.shape.layers.count, unit: "layers"
            ) { try rounding.allLayers(progress: $0) }
        }
        func formatted(_ source: some WeightSource) -> any WeightSource {
            FormattedWeights(source, formats: formats)
        }
        return formatted(source)
    }

    /// The number of tokens on which weights in 4 bits are rounded.
    private static let roundingTokens = 32_768

    /// Returns the losses of distillation; nil without a teacher.
    private func distillation(head: Classifier.Kind?) throws -> Distillation? {
        guard let options = options.teacher else { return nil }
        var teacher = try OpenedModel(options.model, progress: progress)
        let (own, other) = (opened.shape, teacher.shape)
        let isNarrower = own.hiddenSize != other.hiddenSize
        let longest = min(
            own.maximumPositions, self.options.task == nil ? self.options.length : .max)
        let problem: String? =
            if other.architecture != own.architecture {
                "its architecture differs from the student's"
            } else if other.layers.count != own.layers.count {
                "it has \(other.layers.count) layers, but the student has "
                    + "\(own.layers.count)"
            } else if other.vocabularySize != own.vocabularySize {
                "it has \(other.vocabularySize) tokens in its vocabulary, but the student has "
                    + "\(own.vocabularySize)"
            } else if other.maximumPositions < longest {
                "it has \(other.maximumPositions) positions, but a window has \(longest) tokens"
            } else if isNarrower, own.architecture.isEncoder, head == nil {
                "its hidden size differs from the student's, so their vectors cannot be compared"
            } else {
                nil
            }
        if let problem { throw TrainingSet.refusal(of: teacher, problem) }
        if let correction = self.options.teacherCorrection {
            teacher = try OpenedModel(
                TrainingRun(correction, progress: progress).finish().path, progress: progress)
        }
        var distillation = Distillation(
            from: try teacher.packed(in: options.precision ?? self.options.settings.precision),
            classifier: try set.head(of: teacher))
        distillation.temperature = Float(options.temperature)
        distillation.mixture = Float(options.mixture)
        distillation.onPolicyShare = options.onPolicyShare
        (distillation.logitShare, distillation.streamShare, distillation.taskShare) = (
            Float(options.logitShare), isNarrower ? 0 : Float(options.streamShare),
            Float(options.taskShare)
        )
        return distillation
    }

    /// Trains for the remaining steps.
    private func train(
        _ trainer: inout Trainer, _ losses: inout [Trainer.Report]
    ) throws -> (tokens: Int, seconds: Double) {
        let stage = progress.begin("Training", total: options.settings.steps, unit: "steps")
        defer { stage.finish() }
        host_keep_freed_memory()
        var (tokens, seconds) = (0, 1e-9)
        while trainer.step < options.settings.steps {
            do {
                try progress.checkCancellation()
            } catch {
                try keep(&trainer, losses)
                throw error
            }
            let start = host_monotonic_nanoseconds()
            let report = try trainer.advance()
            seconds += Double(host_monotonic_nanoseconds() - start) * 1e-9
            guard report.loss.isFinite, report.norm.isFinite else {
                throw TrainingSet.noNumber(
                    of: opened, "step \(trainer.step)", "the loss", steps: trainer.step)
            }
            losses.append(report)
            tokens += report.tokens
            let recent = losses.suffix(20)
            let loss = recent.reduce(0) { $0 + $1.loss } / Double(recent.count)
            let rate = Figures.shortCount(Int(Double(tokens) / seconds))
            stage.advance(
                to: trainer.step,
                note: "loss \(Figures.significant(loss, digits: 4)), \(rate) tokens/s")
            if trainer.step % options.checkpointSteps == 0
                || trainer.step == options.settings.steps
            {
                try keep(&trainer, losses)
            }
        }
        return (tokens, seconds)
    }

    /// Writes a checkpoint.
    ///
    /// Losses are written first, because the state of the weights determines the number of steps
    /// done.
    private func keep(_ trainer: inout Trainer, _ losses: [Trainer.Report]) throws {
        try directory.write(losses, Product.losses)
        try trainer.writeState(to: directory.product(Product.state))
    }

    private func evaluate(
        _ trainer: Trainer, against teacher: Model?, _ title: String
    ) throws -> HeldOutScore {
        try set.evaluate(
            try Model(trainer.model), trainer.model.classifier, against: teacher, of: opened,
            after: trainer.step, engine: engine, title)
    }
}

extension TrainingOptions {
    /// The paths of the files and models that are read.
    fileprivate func paths(_ progress: any JobProgress) throws -> [String] {
        let models = [model] + [teacher?.model].compactMap(\.self)
        return try models.filter { BlackBox($0) == nil }
            .map { try ModelLocation($0, progress: progress).path }
            + text + [task, validation].compactMap(\.self)
    }

    /// The inputs of a training other than its files.
    fileprivate var digests: [String: String] {
        let settings = settings
        let shares = teacher.map {
            [
                $0.temperature, $0.logitShare, $0.streamShare, $0.taskShare, $0.mixture,
                $0.onPolicyShare, Double($0.correctionSteps ?? 0),
            ]
        }
        return [
            "--teacher's shares": shares.map { "\($0)" } ?? "",
            "--teacher-precision": teacher?.precision?.rawValue ?? "",
            "--steps": String(settings.steps), "--rate": String(settings.rate),
            "--warm-up": String(settings.warmUp), "--schedule": settings.schedule.rawValue,
            "--batch": String(settings.batch), "--accumulate": String(settings.accumulation),
            "--length": String(length), "--weight-decay": String(settings.optimiser.weightDecay),
            "--clip": String(settings.optimiser.maximumNorm),
            "--layerdrop": String(settings.layerDrop),
            "--freeze-embeddings": String(settings.freezesEmbeddings),
            "--precision": settings.precision.rawValue,
            "--seed": String(settings.seed),
            "version": Espalier.version,
        ]
    }
}
