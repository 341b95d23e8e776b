internal import Foundation
internal import ModelFiles
internal import Profiling

/// A teacher that is available only as text: a command that answers prompts.
///
/// The shell runs the command once. The command reads a line `{"prompt": …}` for each prompt and
/// prints a line `{"completion": …}` for each prompt, in the same order. The student learns the
/// completions.
///
/// Source: Kim and Rush, "Sequence-level knowledge distillation", arXiv 1606.07947.
struct BlackBox {
    let command: String

    /// Reads the option `--teacher`; nil if it names a model.
    init?(_ teacher: String) {
        let prefix = "command:"
        guard teacher.hasPrefix(prefix) else { return nil }
        command = String(teacher.dropFirst(prefix.count))
    }

    /// Runs the command to get the completions.
    ///
    /// - Parameters:
    ///   - prompts: The texts to continue.
    ///   - path: The file for the JSON lines of prompts and completions, which ``TrainingText``
    ///     reads.
    ///   - progress: Can stop the job after the command has ended.
    /// - Throws: `ModelFileError` if the command fails or does not answer every prompt.
    func answer(
        _ prompts: [String], to path: String, progress: any JobProgress
    ) throws {
        let (questions, answers) = (path + ".prompts.tmp", path + ".tmp")
        defer {
            for file in [questions, answers] { try? FileManager.default.removeItem(atPath: file) }
        }
        let lines = prompts.map { JSONValue.object(ofStrings: ["prompt": $0]).encoded() + [0x0a] }
        try AtomicFile.write(lines.flatMap(\.self), to: questions)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "{ \(command)\n} <\"$0\" >\"$1\"", questions, answers]
        do {
            try process.run()
        } catch {
            throw failure("/bin/sh cannot be run: \(error.plainReason)")
        }
        process.waitUntilExit()
        try progress.checkCancellation()
        guard process.terminationStatus == 0 else {
            throw failure(process.ending)
        }
        try AtomicFile.write(try pairs(of: prompts, answeredIn: answers), to: path)
    }

    /// Returns the JSON lines of prompts and completions.
    private func pairs(
        of prompts: [String], answeredIn path: String
    ) throws(ModelFileError) -> [UInt8] {
        var (written, count) = ([UInt8](), 0)
        do {
            try RecordFile.visit(path) { record throws(ModelFileError) in
                guard let completion = record.members["completion"]?.string, count < prompts.count
                else {
                    throw failure("line \(record.index + 1) of its output has no \"completion\"")
                }
                let pair = ["prompt": prompts[count], "completion": completion]
                written += JSONValue.object(ofStrings: pair).encoded() + [0x0a]
                count += 1
                return true
            }
        } catch {
            guard error.file.hasPrefix(path) else { throw error }
            let place = error.file.dropFirst(path.count)
            throw failure("its output\(place) cannot be read: \(error.problem)")
        }
        guard count == prompts.count else {
            throw failure("it answered \(count) of \(prompts.count) prompts")
        }
        return written
    }

    private func failure(_ problem: String) -> ModelFileError {
        ModelFileError(
            file: "--teacher command:\(command)", problem: problem,
            remedy: "run it by hand: it reads lines {\"prompt\": …}, and prints a line "
                + "{\"completion\": …} for each")
    }
}
