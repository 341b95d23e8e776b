internal import Foundation
internal import ModelFiles

/// Runs a command of the user for every sample.
///
/// The shell runs the command with the model's directory as its last argument. `ESPALIER_PHASE`,
/// `_BATCH`, `_SEQUENCE`, `_THREADS` and `_PRECISION` describe the environment. The last word that
/// the command prints is the time in seconds.
struct CommandTimer: ModelTimer {
    private let command: String
    private let environment: InferenceEnvironment

    init(_ command: String, environment: InferenceEnvironment) {
        self.command = command
        self.environment = environment
    }

    func sample(_ model: EmittedModel) throws -> Sample {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command + " \"$0\"", model.path]
        process.environment = ProcessInfo.processInfo.environment.merging(
            [
                "ESPALIER_PHASE": environment.phase.rawValue,
                "ESPALIER_BATCH": String(environment.batch),
                "ESPALIER_SEQUENCE": String(environment.sequence),
                "ESPALIER_THREADS": String(environment.threads),
                "ESPALIER_PRECISION": environment.precision.rawValue,
            ]
        ) { $1 }
        let output = Pipe()
        process.standardOutput = output
        do {
            try process.run()
        } catch {
            throw failure("/bin/sh cannot be run: \(error.plainReason)")
        }
        let printed = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw failure(process.ending)
        }
        let last = printed.split(whereSeparator: \.isWhitespace).last.map(String.init) ?? ""
        guard let seconds = Double(last), seconds > 0, seconds.isFinite else {
            throw failure("it printed '\(last.prefix(40))' last, which is not a positive number")
        }
        return Sample(seconds: seconds)
    }

    private func failure(_ problem: String) -> ProfileError {
        ProfileError(
            file: "runtime", field: Runtime.command(command).name, problem: problem,
            remedy: "make it print the time in seconds as its last word")
    }
}
