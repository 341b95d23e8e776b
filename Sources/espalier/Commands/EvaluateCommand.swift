import CommandLine
import Evaluation
import Foundation
import ModelFiles
import Pruning
import Tensors
import Transformers

/// The command that measures quality.
struct EvaluateCommand: Command {
    static let name = "evaluate"
    static let summary = "Measure how well a model predicts text, and how near it is to another."
    static let discussion = """
        A decoder's perplexity: the text as one token stream without special tokens, in windows \
        that do not overlap, positions from 0 in each, every token of a window predicted but the \
        first. With --against also the divergence from the other model (KL, in nats) and how often \
        both would choose the same token. An encoder is compared by the cosine distance of its \
        sentence vectors, paragraph by paragraph. The other model is always in f32; without \
        --against, a model in another --precision is compared with itself in f32.

        A task file has an item on each line, as JSON. Its members tell its kind: query, choices \
        and gold for multiple choice; context and continuation for last words; good and bad for \
        minimal pairs; question and answers, perhaps with a passage, for questions; text, label and \
        perhaps second for classification, by the model's head or, with labels in the first line, \
        by a decoder; document and summary for summaries; first, second and score for the \
        similarity of sentences. A first line of name and prompt may name the task and shape \
        what the model is given; its delimiter stands between a prompt and what follows, by \
        default a space where neither has white space there. scripts/fetch-tasks makes such files.

        Example: espalier evaluate out/1.25x --against SmolLM2.gguf --text wiki.test.raw

        Example: espalier evaluate SmolLM2.gguf --precision int8 --text wiki.test.raw

        Example: espalier evaluate out/2x --against my-bert --text sentences.txt

        Example: espalier evaluate out/1.5x --against SmolLM2.gguf --task piqa.jsonl --task sciq.jsonl
        """

    private let model: String
    private let against: String?
    private let text: String?
    private let window: Int
    private let limit: Int?
    private let samples: Int
    private let tasks: [String]
    private let items: Int?
    private let shots: Int
    private let threads: Int
    private let precision: Precision
    private let dump: String?
    private let printsJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        model = try arguments.positional("MODEL", .model, help: ModelLocation.help)
        against = try arguments.option(
            "--against", .model, help: "The model to compare with, such as the dense one.")
        text = try arguments.option(
            "--text", .file,
            help: "Plain text to predict, or .jsonl, .json, .csv or .tsv records with a field text."
        )
        tasks = try arguments.options(
            "--task", .file, help: "A file of questions, as JSON lines; again for more.")
        threads = try EnvironmentOptions.threads(&arguments)
        precision = try EnvironmentOptions.precision(&arguments)
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
        arguments.group("Text")
        window = try arguments.option(
            "--window", .integer(in: 2...(1 << 20)).named("TOKENS"), default: 1024,
            help: "Tokens of a window, cut to the model's positions.")
        limit = try arguments.option(
            "--windows", .integer(atLeast: 1).named("COUNT"),
            help: "Only the first windows; all by default.")
        samples = try arguments.option(
            "--samples", .integer(in: 0...100), default: 0,
            help: "What a decoder writes behind the beginnings of so many windows.")
        dump = try arguments.option(
            "--dump", .file, isRare: true,
            help: "Write token ids and logits or hidden states of the first 64 tokens as JSON.")
        arguments.group("Tasks")
        items = try arguments.option(
            "--items", .integer(atLeast: 1).named("COUNT"),
            help: "Only the first questions of each task; all by default.")
        shots = try arguments.option(
            "--shots", .integer(in: 0...100), default: 0,
            help: "How many of a task's first questions to give, solved, before each other one.")
        guard text != nil || !tasks.isEmpty else {
            throw UsageError("give --text, --task or both")
        }
        guard text != nil || dump == nil && samples == 0 else {
            throw UsageError("--dump and --samples need --text")
        }
    }

    func run() throws {
        let questions = try tasks.map { try TaskFile.read($0, limit: items, shots: shots) }
        for (index, task) in questions.enumerated()
        where questions[..<index].contains(where: { $0.name == task.name }) {
            throw ModelFileError(
                file: tasks[index], problem: "its task is called \"\(task.name)\", as another is",
                remedy: "give it another \"name\" in its first line, or rename the file")
        }
        let loaded = try LoadedModel(model, precision: precision)
        let reference = try reference(for: loaded)
        let engine = Engine(threads: threads)
        var answer = EvaluateAnswer()
        if let text {
            let sequences = try sequences(of: text, for: loaded)
            if let dump { try write(loaded, sequences[0], engine, to: dump) }
            answer = try evaluate(loaded, reference?.model, sequences, engine)
            answer.samples = try writings(loaded, reference?.model, sequences, engine)
        }
        for task in questions {
            let result = try loaded.ask(task, on: engine)
            answer.tasks[task.name] = TaskAnswer(
                result, against: try reference?.ask(task, on: engine),
                perplexity: try reference.flatMap {
                    try result.perplexity(to: $0.model, on: engine)
                })
        }
        if printsJSON { try printJSON(answer) } else { print(answer.text) }
    }

    /// The model to compare with, in f32: another, or where the precision is not f32 the same.
    private func reference(for loaded: LoadedModel) throws -> LoadedModel? {
        let shape = loaded.model.shape
        guard let against else {
            if precision != .f32 {
                return LoadedModel(loaded.opened, model: try loaded.model(in: .f32))
            }
            guard !shape.architecture.isEncoder || text == nil else {
                throw UsageError("an encoder predicts no text: give --against to compare it with")
            }
            return nil
        }
        let reference = try LoadedModel(against)
        let other = reference.model.shape
        let longest = min(shape.maximumPositions, tasks.isEmpty ? window : .max)
        guard other.maximumPositions >= longest else {
            throw ModelFileError(
                file: against,
                problem: "its \(other.maximumPositions) positions are fewer than the \(longest) "
                    + "that the model is evaluated on",
                remedy: "give a smaller --window, or compare with the model that it was pruned from"
            )
        }
        guard other.architecture == shape.architecture,
            other.vocabularySize == shape.vocabularySize,
            other.hiddenSize == shape.hiddenSize || !shape.architecture.isEncoder || text == nil
        else {
            throw ModelFileError(
                file: against, problem: "its type, vocabulary or width is not the model's",
                remedy: "compare with the model that it was pruned from")
        }
        return reference
    }

    private func sequences(of text: String, for loaded: LoadedModel) throws -> [[Int32]] {
        let contents = try TextFile.contents(of: text).text
        let tokenizer = try loaded.checkpoint.tokenizer()
        let length = min(window, loaded.model.shape.maximumPositions)
        let all =
            !loaded.model.shape.architecture.isEncoder
            ? windows(
                of: tokenizer.encode(contents, addingSpecialTokens: false), length: length)
            : framedPieces(of: contents, tokenizer: tokenizer, length: length)
        try requireEnough(all, of: text)
        return Array(all.prefix(limit ?? all.count))
    }

    private func evaluate(
        _ loaded: LoadedModel, _ reference: Model?, _ sequences: [[Int32]], _ engine: Engine
    ) throws -> EvaluateAnswer {
        let progress = ProgressBar("Evaluating", total: sequences.count, unit: "windows")
        defer { progress.finish() }
        func tick(_ done: Int) throws {
            progress.advance(to: done)
            try Interruption.check()
        }
        let tokens = sequences.reduce(0) { $0 + $1.count }
        guard !loaded.model.shape.architecture.isEncoder else {
            let quality = try EncoderQuality(
                of: loaded.model, against: reference ?? loaded.model, on: sequences,
                engine: engine, progress: tick)
            return EvaluateAnswer(
                tokens: tokens, meanCosineDistance: quality.meanCosineDistance)
        }
        let quality = try DecoderQuality(
            of: loaded.model, against: reference.map { .model($0) }, on: sequences, engine: engine,
            progress: tick)
        return EvaluateAnswer(
            tokens: tokens, predictions: quality.predictions, perplexity: quality.perplexity,
            meanNLL: quality.meanNLL, kl: quality.kl, top1: quality.top1)
    }

    /// What the models write behind the beginnings of windows.
    private func writings(
        _ loaded: LoadedModel, _ reference: Model?, _ sequences: [[Int32]], _ engine: Engine
    ) throws -> [EvaluateAnswer.Sample]? {
        guard samples > 0, !loaded.model.shape.architecture.isEncoder else { return nil }
        let tokenizer = try loaded.checkpoint.tokenizer()
        let prompts = sequences.prefix(samples).enumerated().map { index, sequence in
            let beginning = TextBeginning(
                of: sequence, startsText: index == 0, tokenizer: tokenizer)
            return beginning.prefix(48, tokenizer: tokenizer)
        }
        func texts(_ model: Model) throws -> [String] {
            try continuations(of: prompts, by: model, tokenizer: tokenizer, engine: engine)
        }
        let (own, other) = (try texts(loaded.model), try reference.map(texts))
        return prompts.indices.map {
            EvaluateAnswer.Sample(
                prompt: tokenizer.decode(prompts[$0]), text: own[$0], other: other?[$0])
        }
    }

    private func write(
        _ loaded: LoadedModel, _ sequence: [Int32], _ engine: Engine, to path: String
    ) throws {
        struct Dump: Encodable {
            let ids: [Int32]
            var logits: [[Float]]?
            var hidden: [[Float]]?
        }
        let ids = Array(sequence.prefix(64))
        var pass = ForwardPass(loaded.model, on: engine)
        var dump = Dump(ids: ids)
        if !loaded.model.shape.architecture.isEncoder {
            pass.logits(of: TokenBatch([ids])) { rows, logits in
                dump.logits = (0..<rows.count).map { Array(logits.row($0)) }
            }
        } else {
            let hidden = pass.hiddenStates(of: TokenBatch([ids]))
            dump.hidden = (0..<hidden.rows).map { Array(hidden.row($0)) }
        }
        try AtomicFile.write(try JSONEncoder().encode(dump), to: path)
    }
}
