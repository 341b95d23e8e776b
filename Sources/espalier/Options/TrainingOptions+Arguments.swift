import CommandLine
import Pipeline
import Tensors
import Training

extension TrainingOptions {
    /// Reads the options.
    ///
    /// - Parameters:
    ///   - arguments: What the user wrote.
    ///   - distils: Whether there is a teacher.
    ///   - printsJSON: Becomes whether the result is printed as JSON.
    /// - Throws: `UsageError`.
    init(
        _ arguments: inout Arguments, distils: Bool = false, printsJSON: inout Bool
    ) throws(UsageError) {
        let model = try arguments.positional("MODEL", .model, help: Help.model)
        let teacher = distils ? try Teacher(&arguments) : nil
        let text = try arguments.options(
            "--text", .file,
            help: "What is learnt: plain text, or records (.jsonl, .csv, .tsv) with text, or with "
                + "prompt and completion; again for more.")
        let task = try arguments.option(
            "--task", .file,
            help: "What an encoder learns: texts with labels, pairs with scores, or "
                + "passages with questions and answers, as records.")
        let validation = try arguments.option(
            "--validation", .file,
            help: "What to judge by; by default a twentieth of the rest, from its end.")
        let steps = try arguments.requiredOption(
            "--steps", .integer(in: 1...10_000_000).named("COUNT"), help: "How many steps to take.")
        let output = try arguments.requiredOption(
            "--output", short: "o", .directory, help: "Where the model and its training go.")
        let threads = try EnvironmentOptions.threads(&arguments)
        let restarts = arguments.flag(
            "--restart", help: "Discard what the output directory holds of another training.")
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
        arguments.group("Training")
        let rate = try Self.rate(&arguments) ?? Self.usualRate
        self.init(model, steps: steps, rate: rate, output: output)
        (self.teacher, self.text, self.task, self.validation) = (teacher, text, task, validation)
        (self.threads, self.restarts) = (threads, restarts)
        let warmUp = try arguments.option(
            "--warm-up", .integer(in: 0...10_000_000).named("STEPS"), isRare: true,
            help: "How many steps the rate rises; by default a twentieth.")
        settings.warmUp = min(steps, warmUp ?? steps / 20)
        settings.schedule = try arguments.option(
            "--schedule", .choice(), default: .cosine, isRare: true,
            help: "How the rate falls then.")
        settings.batch = try arguments.option(
            "--batch", .integer(in: 1...4096), default: 8, help: "Windows that go together.")
        settings.accumulation = try arguments.option(
            "--accumulate", .integer(in: 1...4096).named("COUNT"), default: 1, isRare: true,
            help: "How many such batches make a step.")
        length = try arguments.option(
            "--length", .integer(in: 2...(1 << 20)).named("TOKENS"), default: 256,
            help: "Tokens of a window, cut to the model's positions.")
        settings.optimiser.weightDecay = Float(
            try arguments.option(
                "--weight-decay", .number(in: 0...1), default: 0.01, isRare: true,
                help: "What matrices lose in a step, as a share of the rate."))
        settings.optimiser.greatestNorm = Float(
            try arguments.option(
                "--clip", .number(above: 0), default: 1, isRare: true,
                help: "The greatest norm of all gradients; longer ones are shortened."))
        let layerDrop = try arguments.option(
            "--layerdrop", .number(in: 0...0.99), isRare: true,
            help: "How likely a layer is left out of a pass, to train for any depth; by default as "
                + "the model's configuration says, else 0.")
        settings.layerDrop = layerDrop ?? 0
        takesLayerDrop = layerDrop == nil
        settings.recomputes = arguments.flag(
            "--recompute", isRare: true,
            help: "Keep less on the way: a fifth of the memory, a third slower.")
        settings.freezesEmbeddings = arguments.flag(
            "--freeze-embeddings",
            help: "Keep the tables of embeddings, and a decoder's head, as they are: faster, and "
                + "words that the text lacks do not suffer.")
        settings.precision = try Self.precision("--precision", &arguments) ?? .f32
        settings.seed = try arguments.option(
            "--seed", .seed, default: 1, isRare: true, help: "Decides what is random.")
        checkpointSteps = try arguments.option(
            "--checkpoint", .integer(in: 1...10_000_000).named("STEPS"), default: 100, isRare: true,
            help: "After how many steps all is written down.")
        try checkUsage(check)
    }

    /// Reads `--rate`.
    static func rate(_ arguments: inout Arguments) throws(UsageError) -> Double? {
        try arguments.option(
            "--rate", .number(in: 0...10),
            help: "The greatest learning rate; by default \(usualRate).")
    }

    /// The precisions that gradients can be computed in.
    private enum Products: String, CaseIterable {
        case f32, f16, bf16

        var precision: Precision {
            switch self {
            case .f32: .f32
            case .f16: .f16
            case .bf16: .bf16
            }
        }
    }

    /// Reads how products are computed.
    static func precision(
        _ name: String, _ arguments: inout Arguments
    ) throws(UsageError) -> Precision? {
        let products: Products? = try arguments.option(
            name, .choice(), isRare: true,
            help: "How products of a training are computed, by default f32: f16 and bf16 are "
                + "faster on processors with such arithmetic; weights are kept in f32.")
        return products?.precision
    }
}

extension TrainingOptions.Teacher {
    /// Reads the options of the teacher.
    fileprivate init(_ arguments: inout Arguments) throws(UsageError) {
        let model = try arguments.requiredOption(
            "--teacher", .text.named("MODEL"),
            help: "The model to learn from, such as the dense one; or command:'…', which is "
                + "given lines with a prompt and prints lines with a completion.")
        self.init(model)
        arguments.group("Teacher")
        precision = try arguments.option(
            "--teacher-precision", .choice(), isRare: true,
            help: "How the teacher's products are computed; by default as the student's.")
        temperature = try arguments.option(
            "--temperature", .number(in: 0.1...100), default: 1, isRare: true,
            help: "Divides the logits of both, for softer choices.")
        logitShare = try arguments.option(
            "--logits", .number(in: 0...1000).named("SHARE"), default: 1, isRare: true,
            help: "What the divergence of choices counts.")
        streamShare = try arguments.option(
            "--streams", .number(in: 0...1000).named("SHARE"), default: 0.5, isRare: true,
            help: "What the distance of residual streams counts, where both are as wide.")
        taskShare = try arguments.option(
            "--task-loss", .number(in: 0...1000).named("SHARE"), default: 0, isRare: true,
            help: "What the text or the labels themselves count.")
        mixture = try arguments.option(
            "--mixture", .number(in: 0...1).named("BETA"), default: 0, isRare: true,
            help: "Which divergence: 0 covers all that the teacher may choose, 1 keeps to its "
                + "likeliest, between is Jensen and Shannon's.")
        onPolicyShare = try arguments.option(
            "--on-policy", .number(in: 0...1).named("SHARE"), default: 0, isRare: true,
            help: "What share of the steps is on text whose second half the student writes.")
        correctionSteps = try arguments.option(
            "--teacher-steps", .integer(in: 1...10_000_000).named("COUNT"), isRare: true,
            help: "Adapt the teacher to the text first, in so many steps; by default none.")
        arguments.group()
    }
}
