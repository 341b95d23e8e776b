import Console
import Pipeline
import Tensors
import Training

extension TrainingOptions {
    /// Reads the options.
    ///
    /// - Parameters:
    ///   - arguments: The command-line arguments.
    ///   - distils: Whether the training has a teacher.
    ///   - printsJSON: Set to whether the result is printed as JSON.
    /// - Throws: `UsageError`.
    init(
        _ arguments: inout Arguments, distils: Bool = false, printsJSON: inout Bool
    ) throws(UsageError) {
        let model = try arguments.positional("MODEL", .model, help: Help.model)
        let teacher = distils ? try Teacher(&arguments) : nil
        let text = try arguments.options(
            "--text", .file,
            help: "The training set: plain text, or records (.jsonl, .csv, .tsv) with text, or "
                + "with prompt and completion.")
        let task = try arguments.option(
            "--task", .file,
            help: "The training set of an encoder: records of texts with labels, pairs with "
                + "scores, or passages with questions and answers.")
        let validation = try arguments.option(
            "--validation", .file,
            help: "The evaluation set; by default the last twentieth of the training set is held "
                + "out.")
        let steps = try arguments.requiredOption(
            "--steps", .integer(in: 1...10_000_000).named("COUNT"), help: "The number of steps.")
        let output = try arguments.requiredOption(
            "--output", short: "o", .directory,
            help: "The directory of the model and its training.")
        let threads = try EnvironmentOptions.threads(&arguments)
        let restarts = arguments.flag(
            "--restart", help: "Discard another training in the output directory.")
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
        arguments.group("Training")
        let rate = try Self.rate(&arguments) ?? Self.usualRate
        self.init(model, steps: steps, rate: rate, output: output)
        (self.teacher, self.text, self.task, self.validation) = (teacher, text, task, validation)
        (self.threads, self.restarts) = (threads, restarts)
        let warmUp = try arguments.option(
            "--warm-up", .integer(in: 0...10_000_000).named("STEPS"), isRare: true,
            help: "The number of warm-up steps; by default a twentieth of all steps.")
        settings.warmUp = min(steps, warmUp ?? steps / 20)
        settings.schedule = try arguments.option(
            "--schedule", .choice(), default: .cosine, isRare: true,
            help: "The decay of the learning rate after the warm-up.")
        settings.batch = try arguments.option(
            "--batch", .integer(in: 1...4096), default: 8,
            help: "The number of windows in a batch.")
        settings.accumulation = try arguments.option(
            "--accumulate", .integer(in: 1...4096).named("COUNT"), default: 1, isRare: true,
            help: "The number of batches whose gradients are accumulated for one step.")
        length = try arguments.option(
            "--length", .integer(in: 2...(1 << 20)).named("TOKENS"), default: 256,
            help: "The number of tokens of a window, at most the model's positions.")
        settings.optimiser.weightDecay = Float(
            try arguments.option(
                "--weight-decay", .number(in: 0...1), default: 0.01, isRare: true,
                help: "Weight decay of matrices, as a fraction of the learning rate."))
        settings.optimiser.maximumNorm = Float(
            try arguments.option(
                "--clip", .number(above: 0), default: 1, isRare: true,
                help: "The maximum norm of all gradients; larger gradients are clipped."))
        let layerDrop = try arguments.option(
            "--layerdrop", .number(in: 0...0.99), isRare: true,
            help: "Probability that a layer is skipped in a pass (LayerDrop), so that the model "
                + "works at smaller depths; by default the value in the model's configuration, or "
                + "0.")
        settings.layerDrop = layerDrop ?? 0
        takesLayerDrop = layerDrop == nil
        settings.recomputes = arguments.flag(
            "--recompute", isRare: true,
            help: "Recompute activations in the backward pass: training needs a fifth of the "
                + "memory and is a third slower.")
        settings.freezesEmbeddings = arguments.flag(
            "--freeze-embeddings",
            help: "Do not train the embeddings and a decoder's output head: training is faster, "
                + "and tokens that are absent from the text keep their quality.")
        settings.precision = try Self.precision("--precision", &arguments) ?? .f32
        settings.seed = try arguments.option(
            "--seed", .seed, default: 1, isRare: true, help: "Seed of random choices.")
        checkpointSteps = try arguments.option(
            "--checkpoint", .integer(in: 1...10_000_000).named("STEPS"), default: 100, isRare: true,
            help: "The number of steps between checkpoints.")
        try checkUsage(check)
    }

    /// Reads `--rate`.
    static func rate(_ arguments: inout Arguments) throws(UsageError) -> Double? {
        try arguments.option(
            "--rate", .number(in: 0...10),
            help: "Maximum learning rate; by default \(usualRate).")
    }

    /// The precisions that gradients can be computed in.
    private enum Products: String, CaseIterable {
        case f32, f16, bf16, bf16x2

        var precision: Precision {
            switch self {
            case .f32: .f32
            case .f16: .f16
            case .bf16: .bf16
            case .bf16x2: .bf16x2
            }
        }
    }

    /// Reads the precision in which products are computed.
    static func precision(
        _ name: String, _ arguments: inout Arguments
    ) throws(UsageError) -> Precision? {
        let products: Products? = try arguments.option(
            name, .choice(), isRare: true,
            help: "The precision of products in training, by default f32. f16, bf16 and bf16x2 are "
                + "faster on processors with instructions for them. Weights are kept in f32.")
        return products?.precision
    }
}

extension TrainingOptions.Teacher {
    /// Reads the options of the teacher.
    fileprivate init(_ arguments: inout Arguments) throws(UsageError) {
        let model = try arguments.requiredOption(
            "--teacher", .text.named("MODEL"),
            help: "The teacher, such as the dense model; or command:'…', which reads lines with a "
                + "prompt and prints lines with a completion.")
        self.init(model)
        arguments.group("Teacher")
        precision = try arguments.option(
            "--teacher-precision", .choice(), isRare: true,
            help: "The precision of the teacher; by default the precision of the student.")
        temperature = try arguments.option(
            "--temperature", .number(in: 0.1...100), default: 1, isRare: true,
            help: "Temperature that divides the logits of teacher and student.")
        logitShare = try arguments.option(
            "--logits", .number(in: 0...1000).named("SHARE"), default: 1, isRare: true,
            help: "Weight of the loss on logits.")
        streamShare = try arguments.option(
            "--streams", .number(in: 0...1000).named("SHARE"), default: 0.5, isRare: true,
            help: "Weight of the loss on residual streams, if both have the same hidden size.")
        taskShare = try arguments.option(
            "--task-loss", .number(in: 0...1000).named("SHARE"), default: 0, isRare: true,
            help: "Weight of the loss on the text or labels themselves.")
        mixture = try arguments.option(
            "--mixture", .number(in: 0...1).named("BETA"), default: 0, isRare: true,
            help: "The divergence: 0 is KL(teacher, student), 1 is KL(student, teacher), a "
                + "value between them is the generalised Jensen-Shannon divergence.")
        onPolicyShare = try arguments.option(
            "--on-policy", .number(in: 0...1).named("SHARE"), default: 0, isRare: true,
            help: "Fraction of steps on text whose second half the student generates.")
        correctionSteps = try arguments.option(
            "--teacher-steps", .integer(in: 1...10_000_000).named("COUNT"), isRare: true,
            help: "The number of steps that first adapt the teacher to the text; by default none.")
        arguments.group()
    }
}
