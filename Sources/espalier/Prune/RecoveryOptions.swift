import CommandLine
import Training

/// What the user asked of the training between the targets of a prune.
struct RecoveryOptions {
    /// How quality is won back.
    enum Method: String, CaseIterable {
        case distill
        case finetune
    }

    let method: Method
    let text: [String]
    let task: String?
    let validation: String?
    let length: Int
    let settings: Trainer.Settings

    /// Reads the options; nil where no training was asked for.
    init?(_ arguments: inout Arguments) throws(UsageError) {
        let method: Method? = try arguments.option(
            "--recover", .choice(),
            help: "Prune target by target, and train in between: distill learns from the dense "
                + "model, finetune from the text or labels alone.")
        let steps = try arguments.option(
            "--steps", .integer(in: 1...10_000_000).named("COUNT"),
            help: "How many training steps follow each target.")
        text = try arguments.options(
            "--text", .file,
            help: "What to train on, as for finetune; other text than what is calibrated on.")
        task = try arguments.option(
            "--task", .file, help: "What an encoder trains on, as for finetune.")
        validation = try arguments.option(
            "--validation", .file, isRare: true,
            help: "What the training is judged by; by default a twentieth of the rest.")
        let rate = try FinetuneOptions.rate(&arguments)
        let batch = try arguments.option(
            "--training-batch", .integer(in: 1...4096), isRare: true,
            help: "Sequences that go together in training; by default 8.")
        let length = try arguments.option(
            "--training-length", .integer(in: 2...(1 << 20)).named("TOKENS"), isRare: true,
            help: "Tokens of a window of text in training; by default 256.")
        let precision = try FinetuneOptions.precision("--training-precision", &arguments)
        var settings = Trainer.Settings(steps: steps ?? 1, rate: rate ?? FinetuneOptions.usualRate)
        settings.warmUp = settings.steps / 20
        settings.batch = batch ?? 8
        settings.precision = precision ?? .f32
        (self.settings, self.length) = (settings, length ?? 256)
        guard let method else {
            guard steps == nil, text.isEmpty, task == nil, validation == nil, rate == nil,
                batch == nil, length == nil, precision == nil
            else {
                throw UsageError(
                    "--steps, --text, --task, --validation, --rate and --training-… go with "
                        + "--recover")
            }
            return nil
        }
        self.method = method
        guard steps != nil else { throw UsageError("--recover needs --steps") }
        guard text.isEmpty != (task == nil) else {
            throw UsageError("--recover needs either --text or --task to train on")
        }
    }

    /// The training that a pruned model undergoes.
    ///
    /// - Parameters:
    ///   - model: The pruned model.
    ///   - teacher: The dense model.
    ///   - threads: How many compute.
    ///   - seed: Decides the order of what is learnt.
    ///   - output: Where the training goes.
    /// - Returns: What to ask of it.
    func training(
        of model: String, by teacher: String, threads: Int, seed: UInt64, output: String
    ) -> FinetuneOptions {
        var settings = settings
        settings.seed = seed
        return FinetuneOptions(
            model: model, teacher: method == .distill ? FinetuneOptions.Teacher(teacher) : nil,
            text: text, task: task, validation: validation, length: length, settings: settings,
            checkpointSteps: 100, threads: threads, output: output)
    }
}
