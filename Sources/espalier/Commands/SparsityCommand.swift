import CommandLine
import ContextualSparsity
import Evaluation
import ModelFiles
import Tensors
import Transformers

/// The command that tells how much of a model each token needs.
struct SparsityCommand: Command {
    static let name = "sparsity"
    static let summary = "Tell how few heads and neurons each token of a decoder needs."
    static let discussion = """
        study leaves out units token by token, those that contribute least to it, those below a \
        threshold, or random ones, and tells the perplexity of what is left. No predictor chooses \
        better than by what units really contribute: where that costs much, a model has no \
        contextual sparsity to use. The second table tells how few units do 90% and 99% of what a \
        component adds.

        A fifth of the windows serve to find thresholds, the others to try.

        Example: espalier sparsity study SmolLM2.gguf --text wiki.test.raw
        """

    /// What is told.
    private enum Action: String, CaseIterable {
        case study
    }

    private let model: String
    private let text: String
    private let window: Int
    private let limit: Int
    private let threads: Int
    private let printsJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        _ = try arguments.positional(
            "ACTION", .choice(of: Action.self), help: "What to tell: study.")
        model = try arguments.positional("MODEL", .model, help: ModelLocation.help)
        text = try arguments.requiredOption("--text", .file, help: "Plain text to predict.")
        window = try arguments.option(
            "--window", .integer(in: 2...(1 << 20)).named("TOKENS"), default: 512,
            help: "Tokens of a window, cut to the model's positions.")
        limit = try arguments.option(
            "--windows", .integer(in: 2...100_000).named("COUNT"), default: 5,
            help: "How many windows, from the first on.")
        threads = try EnvironmentOptions.threads(&arguments)
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
    }

    func run() throws {
        let opened = try OpenedModel(model)
        let length = min(window, opened.shape.maximumPositions)
        let all = try opened.windows(
            ofText: text, tokens: limit * length, length: length, encoderRemedy: "name a decoder")
        guard all.count > 1 else {
            throw ModelFileError(
                file: text, problem: "it holds less than two windows",
                remedy: "give a longer text, or a smaller --window")
        }
        let study = try study(opened, on: all)
        if printsJSON { try printJSON(study) } else { print(study.text) }
    }

    private func study(_ opened: OpenedModel, on windows: [[Int32]]) throws -> SparsityStudy {
        let count = max(1, windows.count / 5)
        let (scores, model) = (try UnitScores(opened.checkpoint), try opened.packed(in: .f32))
        let progress = ProgressBar("Studying", total: SparsityStudy.trialCount, unit: "trials")
        defer { progress.finish() }
        return try SparsityStudy(
            of: model, scores: scores, calibration: Array(windows.prefix(count)),
            windows: Array(windows.dropFirst(count)), engine: Engine(threads: threads)
        ) {
            progress.advance(to: $0)
            try Interruption.check()
        }
    }
}

extension SparsityStudy {
    /// What is shown.
    fileprivate var text: String {
        var trialTable = Table(
            "density", "neurons", "threshold", "random", "heads", "threshold", "random")
        for density in Self.densities {
            let cells = [ComponentKind.feedForward, .attention].flatMap { kind in
                UnitFilter.Choice.allCases.map { choice in
                    let trial = trials.first {
                        $0.kind == kind && $0.choice == choice && $0.density == density
                    }
                    return trial.map { Human.significant($0.perplexity, digits: 4) } ?? ""
                }
            }
            trialTable.add(row: [Human.percent(density)] + cells)
        }
        var needTable = Table(
            "layer", "neurons for 90%", "for 99%", "heads for 90%", "for 99%")
        let layers = Set(needs.map(\.component.layer)).sorted()
        for layer in layers {
            let cells = [ComponentKind.feedForward, .attention].flatMap { kind in
                needs.first { $0.component == Component(layer: layer, kind: kind) }?
                    .shares.map(Human.percent) ?? ["", ""]
            }
            needTable.add(row: [String(layer)] + cells)
        }
        let found = [(ComponentKind.feedForward, "neurons"), (.attention, "heads")].map {
            kind, name in
            "\(Human.percent(density(of: kind, by: .largest, cost: 0.01))) of \(name)"
        }
        return """
            Perplexity where only so many units of each token take part, those that contribute
            most, those above a threshold, or random ones; \
            \(Human.significant(densePerplexity, digits: 4)) with all of them:

            \(trialTable.rendered())
            Units that do so much of what a component adds, mean over tokens:

            \(needTable.rendered())
            For at most 1% of perplexity, of the densities tried: \(found.joined(separator: ", ")).
            """
    }
}
