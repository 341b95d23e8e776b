import CommandLine
import Pipeline
import Training

extension RecoveryOptions {
    /// Reads the options; nil if no training was asked for.
    init?(_ arguments: inout Arguments) throws(UsageError) {
        let method: Method? = try arguments.option(
            "--recover", .choice(),
            help: "Prune target by target, and train in between: distill learns from the dense "
                + "model, finetune from the text or labels alone.")
        let steps = try arguments.option(
            "--steps", .integer(in: 1...10_000_000).named("COUNT"),
            help: "How many training steps follow each target.")
        let text = try arguments.options(
            "--text", .file,
            help: "What to train on, as for finetune; other text than what is calibrated on.")
        let task = try arguments.option(
            "--task", .file, help: "What an encoder trains on, as for finetune.")
        let validation = try arguments.option(
            "--validation", .file, isRare: true,
            help: "What the training is judged by; by default a twentieth of the rest.")
        let rate = try TrainingOptions.rate(&arguments)
        let batch = try arguments.option(
            "--training-batch", .integer(in: 1...4096), isRare: true,
            help: "Sequences that go together in training; by default 8.")
        let length = try arguments.option(
            "--training-length", .integer(in: 2...(1 << 20)).named("TOKENS"), isRare: true,
            help: "Tokens of a window of text in training; by default 256.")
        let precision = try TrainingOptions.precision("--training-precision", &arguments)
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
        guard let steps else { throw UsageError("--recover needs --steps") }
        self.init(method, steps: steps, rate: rate ?? TrainingOptions.usualRate)
        (self.text, self.task, self.validation) = (text, task, validation)
        self.length = length ?? 256
        settings.batch = batch ?? 8
        settings.precision = precision ?? .f32
    }
}
