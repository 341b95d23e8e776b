public import Training

/// The options of the training after each target of a prune.
public struct RecoveryOptions: Sendable {
    /// The methods of recovering quality.
    public enum Method: String, CaseIterable, Sendable {
        /// Distillation from the dense model.
        case distill
        /// Training only on the text or the labels.
        case finetune
    }

    /// The method of recovering quality.
    public var method: Method
    /// Files of text to train on; use other text than for the calibration.
    public var text: [String] = []
    /// The file of a task that an encoder trains on, instead of text.
    public var task: String?
    /// The file of the evaluation set; if nil, the last twentieth of the training data is held out.
    public var validation: String?
    /// The number of tokens of a window of text.
    public var length = 256
    /// The number of steps after each target, and their settings.
    public var settings: Trainer.Settings

    /// Options with defaults: 8 sequences in a batch, and a learning rate that rises during the
    /// first twentieth of the steps.
    ///
    /// - Parameters:
    ///   - method: The method of recovering quality.
    ///   - steps: The number of training steps after each target.
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

    /// Returns the options for the training of a pruned model.
    ///
    /// - Parameters:
    ///   - model: The pruned model.
    ///   - teacher: The dense model.
    ///   - threads: The number of threads.
    ///   - seed: The seed of the order of the training data.
    ///   - output: The directory of the training.
    /// - Returns: The options of the training.
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
