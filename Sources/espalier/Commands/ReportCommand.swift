import CommandLine
import Evaluation
import Foundation
import ModelFiles
import Reporting
import Tensors
import Transformers

/// The command that makes the report of a prune anew.
struct ReportCommand: Command {
    static let name = "report"
    static let summary = "Make the report of a prune anew, with the scores of tasks."
    static let discussion = """
        Reads report.json of a prune's directory and writes report.html and report.md beside it. \
        With --task the dense model and every pruned one are asked the questions of a file first \
        (see espalier evaluate), and their scores go into all three.

        Example: espalier report out

        Example: espalier report out --task piqa.jsonl --task sciq.jsonl --items 500
        """

    private let directory: String
    private let tasks: [String]
    private let items: Int?
    private let threads: Int

    init(_ arguments: inout Arguments) throws(UsageError) {
        directory = try arguments.positional("RUN", .directory, help: "The directory of a prune.")
        tasks = try arguments.options(
            "--task", .file, help: "A file of questions, as JSON lines; again for more.")
        items = try arguments.option(
            "--items", .integer(atLeast: 1).named("COUNT"),
            help: "Only the first questions of each task; all by default.")
        threads = try EnvironmentOptions.threads(&arguments)
    }

    func run() throws {
        var report = try PruneReport(inDirectory: directory)
        let questions = try tasks.map { try TaskFile.read($0, limit: items) }
        if !questions.isEmpty {
            let asked = try ask(questions, report)
            let kept = (report.tasks ?? []).filter { old in !asked.contains { $0.name == old.name }
            }
            report.tasks = (kept + asked).sorted { $0.name < $1.name }
        }
        try report.write(toDirectory: directory)
        print("\(directory)/report.html")
    }

    private func ask(_ tasks: [EvaluationTask], _ report: PruneReport) throws -> [TaskFigures] {
        let precision = Precision(rawValue: report.environment.precision) ?? .f32
        let engine = Engine(threads: threads)
        func results(_ model: String) throws -> [TaskResult] {
            let loaded = try LoadedModel(model, precision: precision)
            return try tasks.map { try loaded.ask($0, on: engine) }
        }
        let dense = try results(report.model.path)
        var figures = dense.map {
            TaskFigures(
                name: $0.name, metric: $0.metric, items: $0.scores.count, dense: $0.value,
                denseError: $0.standardError, results: [])
        }
        for target in report.targets {
            // The directory may have moved since.
            let model = directory + "/" + URL(fileURLWithPath: target.path).lastPathComponent
            for (index, result) in try results(model).enumerated() {
                let difference = result.difference(from: dense[index])
                figures[index].results.append(
                    TaskFigures.Result(
                        target: target.target, value: result.value, error: result.standardError,
                        pValue: difference.pValue, flips: difference.flips))
            }
        }
        return figures
    }
}

extension PruneReport {
    /// Reads the report of a prune's directory.
    init(inDirectory run: String) throws {
        let path = run + "/report.json"
        let bytes = try InputFile(path: path).bytes
        do { try self.init(json: Data(bytes)) } catch {
            throw ModelFileError(
                file: path, problem: "it is no report of a prune: \(error.plainReason)",
                remedy: "run `espalier prune` with this -o again")
        }
        settleTimes()
    }

    /// Writes the report in all its forms.
    func write(toDirectory run: String) throws {
        try AtomicFile.write(try json(), to: run + "/report.json")
        try AtomicFile.write(Array(markdown.utf8), to: run + "/report.md")
        try AtomicFile.write(Array(html.utf8), to: run + "/report.html")
    }
}

extension LoadedModel {
    /// Asks the model a task, showing how far it is.
    ///
    /// - Throws: `ModelFileError` where the task is not for such a model, or `Interrupted`.
    func ask(_ task: EvaluationTask, on engine: Engine) throws -> TaskResult {
        let classifier = try checkpoint.classifier()
        if let fault = fault(of: task, for: classifier) {
            throw ModelFileError(
                file: location.path, subject: task.name, problem: fault.problem,
                remedy: fault.remedy)
        }
        let progress = ProgressBar(
            "\(task.name), \(location.name)", total: task.items.count, unit: "items")
        defer { progress.finish() }
        return try task.run(
            model, classifier: classifier, tokenizer: try checkpoint.tokenizer(), engine: engine
        ) { done in
            progress.advance(to: Int((done * Double(task.items.count)).rounded()))
            try Interruption.check()
        }
    }

    /// Why the model cannot be asked a task, and what helps.
    private func fault(
        of task: EvaluationTask, for classifier: Classifier?
    ) -> (problem: String, remedy: String)? {
        let isEncoder = model.shape.architecture.isEncoder
        switch task.kind {
        case .similarity where isEncoder: return nil
        case .classification where isEncoder:
            guard case .labels(let count)? = classifier?.kind else {
                return (
                    "the model has no head that gives labels",
                    "name a model for sequence classification"
                )
            }
            let greatest = task.greatestLabel
            return greatest < count
                ? nil
                : (
                    "it has label \(greatest), the model's head \(count)",
                    "give a task with the model's labels, from 0 on"
                )
        case .questions where isEncoder:
            guard classifier?.kind == .spans else {
                return (
                    "the model has no head that finds answers in passages",
                    "name a model for question answering, or train one with `espalier finetune`"
                )
            }
            let hasPassages = task.items.contains {
                if case .question(_, _, .some) = $0 { true } else { false }
            }
            return hasPassages
                ? nil
                : (
                    "no question has a passage to find the answer in",
                    "give each line a \"passage\""
                )
        case .classification where task.labels.isEmpty:
            return (
                "it does not say by which words a decoder tells the labels",
                "put {\"labels\": [\"…\", \"…\"]} into its first line"
            )
        case .similarity:
            return ("\(task.kind.rawValue) is nothing for a decoder", "name an encoder")
        default:
            return isEncoder
                ? (
                    "\(task.kind.rawValue) is nothing for an encoder",
                    "give an encoder texts with labels, pairs with scores, or passages with questions"
                ) : nil
        }
    }
}
