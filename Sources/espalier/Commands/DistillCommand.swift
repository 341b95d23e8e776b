import CommandLine
import Pipeline

/// The command that trains a model to do as another does.
struct DistillCommand: Command {
    static let name = "distill"
    static let summary = "Train a pruned model to do as the dense one does."
    static let discussion = """
        The student learns the teacher's choices, by their divergence at a temperature, and its \
        residual streams, token by token, on text or on the texts of a task; the words or labels \
        themselves count by --task-loss. Both have as many layers; the student may have fewer \
        heads, neurons and channels. All else is as with finetune, checkpoints too.

        Example: espalier distill out/1.5x --teacher SmolLM2.gguf --text novels.txt --steps 1000 \
        -o tuned

        A teacher that can only be asked is a command; the student learns what it answers.

        Example: espalier distill out/1.5x --teacher 'command:./ask' --text prompts.jsonl \
        --steps 1000 -o tuned

        Example: espalier distill out/2x --teacher sst2/model --task sst2.jsonl --steps 500 \
        --batch 32 -o tuned
        """

    private let options: TrainingOptions
    private let printsJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        var printsJSON = false
        options = try TrainingOptions(&arguments, distils: true, printsJSON: &printsJSON)
        self.printsJSON = printsJSON
    }

    func run() throws { try options.train(printsJSON: printsJSON) }
}
