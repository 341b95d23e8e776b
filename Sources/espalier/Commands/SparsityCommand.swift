import Console
import ContextualSparsity
import Pipeline
import Reporting
import Transformers

/// The command that measures the fraction of a model that each token needs.
struct SparsityCommand: Command {
    static let name = "sparsity"
    static let summary = "Measure how few heads and neurons each token of a decoder needs."
    static let discussion = """
        study skips units token by token, and measures the perplexity: units with the smallest \
        contributions, units below a threshold, or random units. No predictor can choose better \
        units than the real contributions do. If even this choice costs much, the model has no \
        contextual sparsity to use. The second table has the fraction of units that contribute 90% \
        and 99% of a component's output.

        Thresholds are found on a fifth of the windows, and evaluated on the remaining windows.

        Example: espalier sparsity study SmolLM2.gguf --text wiki.test.raw
        """

    /// The actions of the command.
    private enum Action: String, CaseIterable {
        case study
    }

    private let options: SparsityStudyOptions
    private let printsJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        _ = try arguments.positional(
            "ACTION", .choice(of: Action.self), help: "The kind of study: study.")
        let model = try arguments.positional("MODEL", .model, help: Help.model)
        let text = try arguments.requiredOption("--text", .file, help: "Plain text to predict.")
        var options = SparsityStudyOptions(model, text: text)
        options.window = try arguments.option(
            "--window", .integer(in: 2...(1 << 20)).named("TOKENS"), default: 512,
            help: "The number of tokens of a window, at most the model's positions.")
        options.windows = try arguments.option(
            "--windows", .integer(in: 2...100_000).named("COUNT"), default: 5,
            help: "The number of windows, counted from the first.")
        options.threads = try EnvironmentOptions.threads(&arguments)
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
        self.options = options
    }

    func run() throws {
        let study = try SparsityStudyJob(options, progress: TerminalProgress()).run()
        if printsJSON { try printJSON(study) } else { print(study.text) }
    }
}

extension SparsityStudy {
    /// The result as text for people.
    fileprivate var text: String {
        var trialTable = Table(
            "density", "neurons", "threshold", "random", "heads", "threshold", "random")
        for density in Self.densities {
            let cells = [ComponentKind.feedForward, .attention].flatMap { kind in
                UnitFilter.Choice.allCases.map { choice in
                    let trial = trials.first {
                        $0.kind == kind && $0.choice == choice && $0.density == density
                    }
                    return trial.map { Figures.significant($0.perplexity, digits: 4) } ?? ""
                }
            }
            trialTable.add(row: [Figures.percent(density)] + cells)
        }
        var needTable = Table(
            "layer", "neurons for 90%", "for 99%", "heads for 90%", "for 99%")
        let layers = Set(needs.map(\.component.layer)).sorted()
        for layer in layers {
            let cells = [ComponentKind.feedForward, .attention].flatMap { kind in
                needs.first { $0.component == Component(layer: layer, kind: kind) }?
                    .shares.map(Figures.percent) ?? ["", ""]
            }
            needTable.add(row: [String(layer)] + cells)
        }
        let found = [(ComponentKind.feedForward, "neurons"), (.attention, "heads")].map {
            kind, name in
            "\(Figures.percent(density(of: kind, by: .largest, cost: 0.01))) of \(name)"
        }
        return """
            Perplexity if each token uses only this fraction of the units: the units with
            the largest contributions, units above a threshold, or random units. With all
            units it is \(Figures.significant(densePerplexity, digits: 4)).

            \(trialTable.rendered())
            Fraction of units that contribute 90% or 99% of the output, mean over tokens:

            \(needTable.rendered())
            Lowest densities with at most 1% more perplexity: \(found.joined(separator: ", ")).
            """
    }
}
