import Foundation
import Testing

/// The built program, run like users run it.
enum Program {
    struct Outcome {
        let status: Int32
        let output: String
        let errors: String

        /// The output as a JSON object.
        func object() throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
            return try #require(value as? [String: Any])
        }
    }

    /// Runs the program to its end, with additional environment variables.
    static func run(
        _ words: String..., environment: [String: String] = [:], in directory: String? = nil
    ) throws -> Outcome {
        try run(words, environment: environment, in: directory)
    }

    static func run(
        _ words: [String], environment: [String: String] = [:], in directory: String? = nil
    ) throws -> Outcome {
        try Running(executable, words, environment: environment, in: directory).finish()
    }

    /// Runs the program with lines to read on standard input.
    static func run(_ words: [String], input: String) throws -> Outcome {
        try Running(executable, words, environment: [:], in: nil, input: input).finish()
    }

    /// Starts the program.
    static func start(_ words: [String]) throws -> Running {
        try Running(executable, words, environment: [:], in: nil)
    }

    /// Runs the program with a limit on the size of files, in blocks of the shell.
    static func run(_ words: [String], fileBlocks: Int) throws -> Outcome {
        try run(words, shell: "ulimit -f \(fileBlocks) && exec \"$@\"")
    }

    /// Runs the program with a limit on its memory.
    static func run(_ words: [String], memoryKilobytes: Int) throws -> Outcome {
        try run(words, shell: "ulimit -v \(memoryKilobytes) && exec \"$@\"")
    }

    /// Runs the program through a line of shell code.
    static func run(_ words: [String], shell line: String) throws -> Outcome {
        try Running(
            URL(fileURLWithPath: "/bin/sh"), ["-c", line, "sh", executable.path] + words,
            environment: [:], in: nil
        ).finish()
    }

    /// Runs a measuring command, again with more time if a busy machine disturbs every sample.
    static func measure(_ words: [String], in directory: String? = nil) throws -> Outcome {
        var outcome = try run(words + ["--seconds", "0.5"], in: directory)
        for seconds in ["3", "20", "60"] where outcome.status != 0 {
            outcome = try run(words + ["--seconds", seconds], in: directory)
        }
        return outcome
    }

    /// The program is next to the bundle of the tests.
    private static let executable: URL = {
        let bundles = Bundle.allBundles.filter { $0.bundlePath.hasSuffix(".xctest") }
        let places =
            bundles.map { $0.bundleURL.deletingLastPathComponent() } + [
                Bundle.main.bundleURL,
                URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent(),
            ]
        return places.map { $0.appendingPathComponent("espalier") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
            ?? URL(fileURLWithPath: "espalier")
    }()
}

/// A running program whose output is written to files.
final class Running {
    private let scratch: Scratch
    private let process = Process()

    init(
        _ executable: URL, _ words: [String], environment: [String: String], in directory: String?,
        input: String? = nil
    ) throws {
        scratch = try Scratch()
        process.executableURL = executable
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment
            .merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        process.standardInput = FileHandle.nullDevice
        if let input {
            try Data(input.utf8).write(to: URL(fileURLWithPath: scratch.path("input")))
            process.standardInput = FileHandle(forReadingAtPath: scratch.path("input"))
        }
        process.standardOutput = try file("output")
        process.standardError = try file("errors")
        try process.run()
    }

    private func file(_ name: String) throws -> FileHandle {
        let url = URL(fileURLWithPath: scratch.path(name))
        try Data().write(to: url)
        return try FileHandle(forWritingTo: url)
    }

    /// The text on standard error so far.
    var errors: String {
        get throws { try String(contentsOfFile: scratch.path("errors"), encoding: .utf8) }
    }

    var isRunning: Bool { process.isRunning }

    func send(signal: Int32) {
        kill(process.processIdentifier, signal)
    }

    /// Waits for the end of the program.
    ///
    /// If a signal ended it, the status is the signal's number.
    func finish() throws -> Program.Outcome {
        process.waitUntilExit()
        return Program.Outcome(
            status: process.terminationStatus,
            output: try String(contentsOfFile: scratch.path("output"), encoding: .utf8),
            errors: try errors)
    }
}

/// The tiny models of the tests of `Transformers`.
enum Fixture {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("TransformersTests/Fixtures").path
    static let llama = folder + "/tiny-llama"
    static let gguf = folder + "/tiny-llama.gguf"
    static let bert = folder + "/tiny-bert"
}

/// A directory that is removed with the value.
final class Scratch {
    private let url = FileManager.default.temporaryDirectory
        .appendingPathComponent("espalier-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    /// Returns the path of a name in the directory; the empty name gives the directory.
    func path(_ name: String = "") -> String {
        name.isEmpty ? url.path : url.appendingPathComponent(name).path
    }

    /// Writes a file of JSON lines, and returns its path.
    func file(_ name: String, _ lines: String...) throws -> String {
        let path = path(name + ".jsonl")
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }
}
