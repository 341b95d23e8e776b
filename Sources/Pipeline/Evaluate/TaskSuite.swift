internal import Evaluation
internal import Foundation
internal import ModelFiles

/// A choice of the tasks in a folder that `scripts/fetch-tasks` made.
public enum TaskSuite: String, Sendable, CaseIterable {
    /// The first items of the tasks in which pruned models lose most.
    case quick
    /// All items of all tasks.
    case full

    /// The tasks of ``quick``, and the number of their items.
    private static let quickTasks = [
        "lambada": 200, "arc_easy": 200, "hellaswag": 100, "sciq": 100, "winogrande": 200,
        "squad_open": 50, "triviaqa": 50, "sst2": 200, "stsb": 200,
    ]

    /// Reads the tasks of the suite.
    ///
    /// - Parameters:
    ///   - folder: The folder with the task files. Files with items to train on are left out.
    ///   - items: The maximum number of items of each task; nil for the suite's own.
    /// - Returns: At least one task, in the order of their names.
    /// - Throws: `ModelFileError` if the folder has none of the suite's tasks, or a file is damaged.
    func tasks(inFolder folder: String, items: Int?) throws(ModelFileError) -> [EvaluationTask] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let names = files.filter { $0.hasSuffix(".jsonl") }.map { String($0.dropLast(6)) }
            .filter { !$0.hasSuffix("_train") && !$0.hasSuffix("_valid") }
            .filter { self == .full || Self.quickTasks[$0] != nil }
        guard !names.isEmpty else {
            throw ModelFileError(
                file: folder, problem: "it has no task of the suite \"\(rawValue)\"",
                remedy: "make the files with scripts/fetch-tasks -o \(folder)")
        }
        var tasks: [EvaluationTask] = []
        for name in names.sorted() {
            tasks.append(
                try TaskFile.read(
                    "\(folder)/\(name).jsonl",
                    limit: items ?? (self == .quick ? Self.quickTasks[name] : nil)))
        }
        return tasks
    }
}
