import Foundation

@testable import Evaluation

/// Reads a task from the lines of a file.
func task(_ lines: [String], limit: Int? = nil, shots: Int = 0) throws -> EvaluationTask {
    let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return try TaskFile.read(path, limit: limit, shots: shots)
}
