import CommandLine
import Evaluation
import ModelFiles
import Pruning
import Tensors
import Transformers

/// The command that takes a model of fewer layers out of another.
struct LayerDropCommand: Command {
    static let name = "layerdrop"
    static let summary = "Take a model of fewer layers out of one trained with LayerDrop."
    static let discussion = """
        A model that was trained with layers left out at random, as by finetune --layerdrop, works \
        at smaller depths without further training. every-other keeps layers at equal distances; \
        search drops, again and again, the layer without which a text is foretold best; learned \
        tries so many choices as search would, and learns which layers good ones have.

        Example: espalier layerdrop tuned/model --keep 6 -o half

        Example: espalier layerdrop tuned/model --keep 6 --strategy search --text valid.txt -o half
        """

    /// How layers are chosen.
    enum Strategy: String, CaseIterable {
        case everyOther = "every-other"
        case search
        case learned
    }

    private let model: String
    private let count: Int
    private let strategy: Strategy
    private let text: String?
    private let tokens: Int
    private let seed: UInt64
    private let threads: Int
    private let output: String

    init(_ arguments: inout Arguments) throws(UsageError) {
        model = try arguments.positional("MODEL", .model, help: ModelLocation.help)
        count = try arguments.requiredOption(
            "--keep", .integer(in: 1...100_000).named("COUNT"), help: "How many layers to keep.")
        output = try arguments.requiredOption(
            "--output", short: "o", .directory, help: "Where the model goes.")
        let strategy: Strategy = try arguments.option(
            "--strategy", .choice(), default: .everyOther, help: "How layers are chosen.")
        self.strategy = strategy
        text = try arguments.option(
            "--text", .file,
            help: "What search and learned judge by, and need; not what the model was trained on.")
        tokens = try arguments.option(
            "--tokens", .integer(in: 64...(1 << 24)).named("COUNT"), default: 4096, isRare: true,
            help: "How many tokens of it.")
        seed = try arguments.option(
            "--seed", .seed, default: 1, isRare: true, help: "Decides what learned tries.")
        threads = try EnvironmentOptions.threads(&arguments)
        guard strategy == .everyOther || text != nil else {
            throw UsageError("--strategy \(strategy.rawValue) needs --text to judge by")
        }
    }

    func run() throws {
        try requireAbsent(output)
        let opened = try OpenedModel(model)
        try HuggingFaceDirectory.check(opened.checkpoint)
        let layers = opened.shape.layers.count
        guard count <= layers else {
            throw ModelFileError(
                file: opened.location.path, subject: "num_hidden_layers",
                problem: "it has \(layers) layers, fewer than --keep \(count)",
                remedy: "keep at most \(layers)")
        }
        let kept =
            switch strategy {
            case .everyOther: LayerSelection.everyOther(count, of: layers)
            case .search, .learned: try judging(opened)
            }
        try Terminal.standardError.stage("Writing \(output)") {
            try HuggingFaceDirectory.write(
                KeptLayers(opened.checkpoint, layers: kept), like: opened.checkpoint, to: output
            ) { _ in try Interruption.check() }
        }
        DiskUse.remarkOn(opened.location, to: output)
        print("Layers kept: \(kept.map(String.init).joined(separator: " "))")
    }

    /// Chooses layers by how well a text is foretold with them.
    private func judging(_ opened: OpenedModel) throws -> [Int] {
        let text = try opened.windows(
            ofText: text ?? "", tokens: tokens, length: 512,
            encoderRemedy: "use --strategy every-other")
        try requireEnough(text, of: self.text ?? "")
        let (model, engine) = (try opened.packed(in: .f32), Engine(threads: threads))
        let trials = LayerSelection.trials(count, of: opened.shape.layers.count)
        let progress = ProgressBar("Choosing layers", total: trials, unit: "models")
        defer { progress.finish() }
        func loss(_ model: Model) throws -> Double {
            try DecoderQuality(of: model, against: nil, on: text, engine: engine) { _ in
                try Interruption.check()
            }.meanNLL
        }
        return strategy == .search
            ? try LayerSelection.search(count, of: model, loss: loss, progress: progress.advance)
            : try LayerSelection.learned(
                count, of: model, draws: trials, seed: seed, loss: loss, progress: progress.advance)
    }
}
