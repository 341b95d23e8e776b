import Console
import Pipeline

/// The command that trains a model with another model as its teacher.
struct DistillCommand: Command {
    static let name = "distill"
    static let summary = "Train a pruned model to predict like the dense model."
    static let discussion = """
        The loss is the divergence of the student's next-token distribution from the teacher's, \
        plus the distance of the residual streams, on text or on the texts of a task. --task-loss \
        adds the loss on the text or labels themselves. Teacher and student have the same number \
        of layers; the student may have fewer heads, neurons and channels. Everything else \
        works as in finetune.

        Example: espalier distill out/1.5x --teacher SmolLM2.gguf --text novels.txt --steps 1000 \
        -o tuned

        A teacher can also be a command; the student is then trained on its completions.

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
