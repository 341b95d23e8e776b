import CommandLine
import Pipeline

/// The command that trains a model on text.
struct FinetuneCommand: Command {
    static let name = "finetune"
    static let summary = "Train a model, pruned or not, on text or on a task."
    static let discussion = """
        A decoder learns --text, cut into windows; an encoder learns to label the texts of a \
        --task file, to score its pairs, or to find answers in its passages, with a head that is \
        made where it has none. All is seen in random order, each once before any comes again; a \
        twentieth, from the end, and of text at most 512 windows, is held out to judge by. Weights \
        are trained in f32 by AdamW. The model is written to model in the --output directory, what \
        was measured to training.json. Stopped and run again, a training goes on after its last \
        checkpoint and comes to the same bytes.

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
