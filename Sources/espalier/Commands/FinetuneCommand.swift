import Console
import Pipeline

/// The command that trains a model on text or on a task.
struct FinetuneCommand: Command {
    static let name = "finetune"
    static let summary = "Train a model, pruned or not, on text or on a task."
    static let discussion = """
        A decoder is trained on windows of --text. An encoder is trained on a --task file: to \
        label its texts, to score its pairs, or to find answers in its passages. If it has no head \
        for this, a new one is added. The data is used in random order, epoch by epoch. The last \
        twentieth, of text at most 512 windows, is held out as the evaluation set. Weights are \
        trained in f32 by AdamW. The model is written to model in the --output directory, and the \
        measurements to training.json. If the command is stopped and run again, the training \
        resumes after its last checkpoint, and the model has the same bytes.

        Example: espalier finetune out/1.5x --text novels.txt --steps 500 -o tuned

        Example: espalier finetune MiniLM --task sst2.jsonl --steps 2000 --batch 32 --rate 3e-5 \
        -o sst2

        Example: espalier finetune SmolLM2.gguf --text a.txt --text b.txt --steps 2000 \
        --layerdrop 0.2 -o droppable
        """

    private let options: TrainingOptions
    private let printsJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        var printsJSON = false
        options = try TrainingOptions(&arguments, printsJSON: &printsJSON)
        self.printsJSON = printsJSON
    }

    func run() throws { try options.train(printsJSON: printsJSON) }
}
