public import Training

/// The training between the targets of a prune.
public struct RecoveryOptions: Sendable {
    /// How quality is won back.
    public enum Method: String, CaseIterable, Sendable {
        /// From the dense model, as the teacher.
        case distill
        /// From the text or the labels alone.
        case finetune
    }

    /// How quality is won back.
    public var method: Method
    /// Files of text to train on, other than those of the calibration.
    public var text: [String] = []
    /// The file of a task that an encoder trains on, instead of text.
    public var task: String?
    /// The file of the evaluation set; nil for a twentieth of the rest.
    public var validation: String?
    /// Tokens of a window of text.
    public var length = 256
    /// The steps that follow each target, and how they are taken.
    public var settings: Trainer.Settings

    /// Options with defaults: 8 sequences a batch, a learning rate of at most 1e-4 that rises in the
    /// first twentieth of the steps.
    ///
    /// - Parameters:
    ///   - method: How quality is won back.
    ///   - steps: How many training steps follow each target.
    ///   - rate: The maximum learning rate.
    public init(_ method: Method, steps: Int, rate: Double = TrainingOptions.usualRate) {
        self.method = method
        settings = Trainer.Settings(steps: steps, rate: rate)
        settings.warmUp = steps / 20
        settings.batch = 8
    }

    /// Refuses options that contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    public func check() throws(InvalidOptions) {
        guard text.isEmpty != (task == nil) else {
            throw InvalidOptions("--recover needs either --text or --task to train on")
        }
    }

    /// The training that a pruned model undergoes.
    ///
    /// - Parameters:
    ///   - model: The pruned model.
    ///   - teacher: The dense model.
    ///   - threads: How many compute.
    ///   - seed: Decides the order of the training data.
    ///   - output: Where the training goes.
    /// - Returns: Its options.
    func training(
        of model: String, by teacher: String, threads: Int, seed: UInt64, output: String
    ) -> TrainingOptions {
        var options = TrainingOptions(model, steps: settings.steps, output: output)
        options.settings = settings
        options.settings.seed = seed
        options.teacher = method == .distill ? TrainingOptions.Teacher(teacher) : nil
        (options.text, options.task, options.validation) = (text, task, validation)
        (options.length, options.threads, options.takesLayerDrop) = (length, threads, false)
        return options
    }
}
