public import Tensors
public import Training

/// The options of a ``TrainingJob``.
public struct TrainingOptions: Sendable {
    /// The teacher of a distillation.
    public struct Teacher: Equatable, Sendable {
        /// The teacher, such as the dense model: a path, a hub id, or `command:` and a shell
        /// command.
        ///
        /// The command reads lines with prompts and prints lines with completions.
        public var model: String
        /// The precision in which the teacher's products are computed; nil for the precision of the
        /// training.
        public var precision: Precision?
        /// The divisor of the logits of teacher and student, which makes distributions softer.
        public var temperature = 1.0
        /// The weight of the divergence between the output distributions.
        public var logitShare = 1.0
        /// The weight of the distance between residual streams, if both models have the same width.
        public var streamShare = 0.5
        /// The weight of the loss on the text or the labels.
        public var taskShare = 0.0
        /// The kind of divergence.
        ///
        /// 0 is KL(teacher, student), and 1 is KL(student, teacher). Values between 0 and 1 give a
        /// generalised Jensen-Shannon divergence.
        public var mixture = 0.0
        /// The fraction of steps on text whose second half the student generates.
        public var onPolicyShare = 0.0
        /// The number of steps for which the teacher is first trained on the text; nil for none.
        public var correctionSteps: Int?

        /// A teacher with the weights of the losses that ZipLM uses.
        public init(_ model: String) { self.model = model }
    }

    /// The model to train: a path or a hub id.
    public var model: String
    /// The teacher; nil to train only on the text or the labels.
    public var teacher: Teacher?
    /// Files to train on: plain text, or records with `text`, or with `prompt` and `completion`.
    public var text: [String] = []
    /// The file of a task that an encoder is trained on, instead of text.
    public var task: String?
    /// The file of the evaluation set; if nil, the last twentieth of the training data is held out.
    public var validation: String?
    /// The number of tokens of a window of text, limited to the model's positions.
    public var length = 256
    /// The number of steps and their settings.
    public var settings: Trainer.Settings
    /// Whether the LayerDrop probability comes from the model's configuration instead of
    /// ``settings``.
    public var takesLayerDrop = true
    /// The number of steps between checkpoints.
    public var checkpointSteps = 100
    /// The number of threads.
    public var threads = EnvironmentOptions.defaultThreads
    /// The directory of the model and its training, in which a stopped job resumes.
    public var output: String
    /// Whether products of another training in the directory are discarded.
    public var restarts = false

    /// The maximum learning rate if none is given.
    public static let usualRate = 1e-4

    /// Options with defaults: 8 windows in a batch, and a learning rate that rises during the first
    /// twentieth of the steps.
    ///
    /// - Parameters:
    ///   - model: The model to train: a path or a hub id.
    ///   - steps: The number of steps.
    ///   - rate: The maximum learning rate.
    ///   - output: The directory of the model and its training.
    public init(_ model: String, steps: Int, rate: Double = Self.usualRate, output: String) {
        (self.model, self.output) = (model, output)
        settings = Trainer.Settings(steps: steps, rate: rate)
        settings.warmUp = steps / 20
        settings.batch = 8
    }

    /// Refuses options that contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    public func check() throws(InvalidOptions) {
        guard settings.steps > 0, settings.batch > 0, settings.accumulation > 0, length > 1 else {
            throw InvalidOptions(
                "--steps, --batch and --accumulate must be at least 1, --length at least 2")
        }
        guard text.isEmpty != (task == nil) else {
            throw InvalidOptions("give either --text or --task to train on")
        }
        if let teacher, BlackBox(teacher.model) != nil {
            guard task == nil else {
                throw InvalidOptions(
                    "a teacher that is a command needs prompts: give --text instead of --task")
            }
            guard teacher == Teacher(teacher.model) else {
                throw InvalidOptions(
                    "a teacher that is a command returns only texts: leave out --teacher-precision, "
                        + "--temperature, --logits, --streams, --task-loss, --mixture, "
                        + "--on-policy and --teacher-steps")
            }
        }
    }

    /// Notes on the sizes on disk of the models and of the folder `work`.
    ///
    /// - Returns: A sentence about the models, and a sentence about the folder, which is nil if
    ///   there is no folder.
    /// - Throws: `ModelFileError` if the model cannot be found.
    package func notesOnDisk(
        progress: any JobProgress
    ) throws -> (models: String, work: String?) {
        (
            DiskUse.sentence(
                on: try ModelLocation(model, progress: progress), to: output + "/model"),
            DiskUse.noteOnWork(in: output, remedy: "Remove it if the training is complete.")
        )
    }

    /// The training that adapts the teacher to the text or labels; nil if it was not requested.
    ///
    /// Source: Muralidharan et al., "Compact language models via pruning and knowledge
    /// distillation", arXiv 2407.14679: teacher correction.
    var teacherCorrection: TrainingOptions? {
        guard let teacher, let steps = teacher.correctionSteps else { return nil }
        var correction = self
        (correction.model, correction.teacher) = (teacher.model, nil)
        correction.settings.steps = steps
        correction.settings.warmUp = steps * settings.warmUp / settings.steps
        (correction.settings.layerDrop, correction.takesLayerDrop) = (0, true)
        correction.output = output + "/work/teacher"
        return correction
    }
}
