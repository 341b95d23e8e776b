public import Tensors
public import Training

/// What is asked of a training.
public struct TrainingOptions: Sendable {
    /// The teacher of a distillation.
    public struct Teacher: Equatable, Sendable {
        /// The model, such as the dense one: a path or a hub id; or `command:` and a shell command,
        /// which is given lines with a prompt and prints lines with a completion.
        public var model: String
        /// How its products are computed; nil as those of the training.
        public var precision: Precision?
        /// Divides the logits of both, for softer distributions.
        public var temperature = 1.0
        /// The weight of the divergence of the distributions.
        public var logitShare = 1.0
        /// The weight of the distance of residual streams, if both are as wide.
        public var streamShare = 0.5
        /// The weight of the loss on the text or the labels themselves.
        public var taskShare = 0.0
        /// Which divergence: 0 is KL(teacher, student), 1 is KL(student, teacher), between is
        /// Jensen and Shannon's.
        public var mixture = 0.0
        /// The share of steps on text whose second half the student writes.
        public var onPolicyShare = 0.0
        /// How many steps the teacher itself is trained on the text before; nil for none.
        public var correctionSteps: Int?

        /// A teacher with the weights that ZipLM uses.
        public init(_ model: String) { self.model = model }
    }

    /// The model to train: a path or a hub id.
    public var model: String
    /// The teacher; nil to train on the text or the labels alone.
    public var teacher: Teacher?
    /// Files to train on: plain text, or records with `text`, or with `prompt` and `completion`.
    public var text: [String] = []
    /// The file of a task that an encoder is trained on, instead of text.
    public var task: String?
    /// The file of the evaluation set; nil for a twentieth of the rest, from its end.
    public var validation: String?
    /// Tokens of a window of text, cut to the model's positions.
    public var length = 256
    /// The steps, and how they are taken.
    public var settings: Trainer.Settings
    /// Whether the model's configuration says how likely layers are left out, instead of
    /// ``settings``.
    public var takesLayerDrop = true
    /// After how many steps a checkpoint is written.
    public var checkpointSteps = 100
    /// How many threads compute.
    public var threads = EnvironmentOptions.defaultThreads
    /// The directory of the model and its training, where a stopped job resumes.
    public var output: String
    /// Whether the products of another training in the directory are discarded.
    public var restarts = false

    /// The maximum learning rate if none is given.
    public static let usualRate = 1e-4

    /// Options with defaults: 8 windows a batch, a learning rate that rises in the first twentieth of
    /// the steps.
    ///
    /// - Parameters:
    ///   - model: The model to train: a path or a hub id.
    ///   - steps: How many steps to take.
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
                throw InvalidOptions("a command as teacher answers prompts: give --text")
            }
            guard teacher == Teacher(teacher.model) else {
                throw InvalidOptions(
                    "a command as teacher only answers: leave out --teacher-precision, "
                        + "--temperature, --logits, --streams, --task-loss, --mixture, "
                        + "--on-policy and --teacher-steps")
            }
        }
    }

    /// Notes on the sizes on disk of the models and of the folder `work`.
    ///
    /// - Returns: A sentence on the model, and one on the folder; nil if there is none.
    /// - Throws: `ModelFileError` if the model is not found any more.
    package func notesOnDisk(
        progress: any JobProgress
    ) throws -> (models: String, work: String?) {
        (
            DiskUse.sentence(
                on: try ModelLocation(model, progress: progress), to: output + "/model"),
            DiskUse.noteOnWork(in: output, remedy: "Remove it when you train no further.")
        )
    }

    /// The training that adapts the teacher to the text or labels; nil where none was asked for.
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
