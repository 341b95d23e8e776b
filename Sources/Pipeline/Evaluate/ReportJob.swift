internal import Evaluation
internal import Foundation
internal import ModelFiles
public import Reporting
internal import Tensors
internal import Transformers

/// The options of a ``ReportJob``.
public struct ReportOptions: Sendable {
    /// The directory of a prune.
    public var directory: String
    /// Files of tasks on which the dense model and every pruned model are evaluated.
    public var tasks: [String] = []
    /// The number of items of each task, counted from the first; nil for all.
    public var items: Int?
    /// The number of threads.
    public var threads = EnvironmentOptions.defaultThreads

    /// Options with defaults for the directory of a prune.
    public init(_ directory: String) { self.directory = directory }
}

/// Writes the report of a prune again, with the scores of tasks.
public struct ReportJob {
    private let options: ReportOptions
    private let progress: any JobProgress

    /// Prepares a report.
    ///
    /// - Parameters:
    ///   - options: The options of the job.
    ///   - progress: Shows the progress and can stop the job.
    public init(_ options: ReportOptions, progress: any JobProgress = SilentProgress()) {
        (self.options, self.progress) = (options, progress)
    }

    /// Runs the tasks, and writes the report in all its formats.
    ///
    /// - Returns: The report.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    @discardableResult
    public func run() throws -> PruneReport {
        var report = try PruneReport(inDirectory: options.directory)
        let tasks = try options.tasks.map { try TaskFile.read($0, limit: options.items) }
        if !tasks.isEmpty {
            let asked = try ask(tasks, report)
            let kept = (report.tasks ?? []).filter { old in
                !asked.contains { $0.name == old.name }
            }
            report.tasks = (kept + asked).sorted { $0.name < $1.name }
        }
        try report.write(toDirectory: options.directory)
        return report
    }

    /// The maximum number of answers that are shown for a task and a model.
    private static let shownAnswers = 3

    private func ask(_ tasks: [EvaluationTask], _ report: PruneReport) throws -> [TaskFigures] {
        let precision = Precision(rawValue: report.environment.precision) ?? .f32
        let engine = Engine(threads: options.threads)
        func results(_ model: String) throws -> [TaskResult] {
            let loaded = try LoadedModel(model, precision: precision, progress: progress)
            return try tasks.map { try loaded.ask($0, on: engine) }
        }
        let dense = try results(report.model.path)
        var figures = dense.map {
            TaskFigures(
                name: $0.name, metric: $0.metric, items: $0.scores.count, dense: $0.value,
                denseError: $0.standardError, results: [])
        }
        for target in report.targets {
            // The directory may have been moved since the prune.
            let model =
                options.directory + "/" + URL(fileURLWithPath: target.path).lastPathComponent
            for (index, result) in try results(model).enumerated() {
                let difference = result.difference(from: dense[index])
                var figure = TaskFigures.Result(
                    target: target.target, value: result.value, error: result.standardError,
                    pValue: difference.pValue, flips: difference.flips)
                let lost = tasks[index].lostAnswers(
                    of: result, from: dense[index], atMost: Self.shownAnswers)
                if !lost.isEmpty {
                    figure.lost = lost.map {
                        TaskFigures.Lost(
                            prompt: $0.prompt, expected: $0.expected, answer: $0.answer)
                    }
                }
                figures[index].results.append(figure)
            }
        }
        return figures
    }
}
