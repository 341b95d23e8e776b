import Console
import Pipeline
import Training

extension RecoveryOptions {
    /// Reads the options; nil if no training was requested.
    init?(_ arguments: inout Arguments) throws(UsageError) {
        let method: Method? = try arguments.option(
            "--recover", .choice(),
            help: "Prune gradually and train after each target: distill with the dense model as "
                + "teacher, finetune on the text or labels only.")
        let steps = try arguments.option(
            "--steps", .integer(in: 1...10_000_000).named("COUNT"),
            help: "The number of training steps after each target.")
        let text = try arguments.options(
            "--text", .file,
            help: "A training text, as for finetune.")
        let task = try arguments.option(
            "--task", .file, help: "The training set of an encoder, as for finetune.")
        let validation = try arguments.option(
            "--validation", .file, isRare: true,
            help: "The evaluation set of the training; by default a twentieth of the training set "
                + "is held out.")
        let rate = try TrainingOptions.rate(&arguments)
        let batch = try arguments.option(
            "--training-batch", .integer(in: 1...4096), isRare: true,
            help: "The number of sequences in a batch of training; by default 8.")
        let length = try arguments.option(
            "--training-length", .integer(in: 2...(1 << 20)).named("TOKENS"), isRare: true,
            help: "The number of tokens of a window in training; by default 256.")
        let precision = try TrainingOptions.precision("--training-precision", &arguments)
        guard let method else {
            guard steps == nil, text.isEmpty, task == nil, validation == nil, rate == nil,
                batch == nil, length == nil, precision == nil
            else {
                throw UsageError(
                    "--steps, --text, --task, --validation, --rate and --training-… need "
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
