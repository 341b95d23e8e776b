import Foundation
import Synchronization

@testable import Console

enum Phase: String, CaseIterable {
    case encode
    case prefill
    case decode
}

struct SampleCommand: Command {
    static let name = "prune"
    static let summary = "Prune a model to a speedup that is then measured on this machine."
    static let discussion = """
        The model is profiled, calibrated, searched, shrunk and measured against the dense one, \
        until the target holds.

        Without --calibration a decoder calibrates on text that it samples itself.

        Example: espalier prune model.gguf --speedup 1.25 --speedup 1.5 --batch 8 --phase prefill \
        --prompt 'Once upon a time' -o out
        """

    let model: String
    let extra: String?
    let speedups: [Double]
    let batch: Int
    let phase: Phase
    let temperature: Double
    let seed: UInt64
    let prompt: String?
    let output: String
    let json: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        model = try arguments.positional(
            "MODEL", .directory, help: "A Hugging Face directory, a .gguf file or a hub id.")
        extra = try arguments.optionalPositional("NAME", .text, help: "A name for the result.")
        speedups = try arguments.options(
            "--speedup", .number(above: 1), required: true,
            help: "How many times faster than the dense model.")
        batch = try arguments.option(
            "--batch", .integer(in: 1...1024), default: 1, help: "Sequences per call.")
        phase = try arguments.option(
            "--phase", .choice(), default: .decode, help: "What is timed.")
        arguments.group("Sampling")
        temperature = try arguments.option(
            "--temperature", .number, default: 0, help: "Of sampling.")
        seed = try arguments.option(
            "--seed", .seed, default: 0, isRare: true, help: "Of every random choice.")
        arguments.group()
        prompt = try arguments.option("--prompt", .text, help: "The start of the text.")
        output = try arguments.requiredOption(
            "--output", short: "o", .directory.named("OUT"), help: "Where the results go.")
        json = arguments.flag("--json", help: "Print an answer for programs.")
        guard speedups == speedups.sorted() else {
            throw UsageError("--speedup must ascend")
        }
    }

    func run() throws {
        if model == "missing" { throw SampleError() }
        if model == "stopped" { throw CancellationError() }
        if model == "infinite" { _ = try JSONEncoder().encode(["targets": [1, Double.nan]]) }
    }
}

struct SampleError: Error, CustomStringConvertible {
    let description = "missing/config.json does not exist"
}

/// A command whose check, after all arguments are read, fails on every placeholder value.
struct StrictCommand: Command {
    static let name = "inspect"
    static let summary = "Show what a file holds."
    let files: [String]

    init(_ arguments: inout Arguments) throws(UsageError) {
        files = try arguments.positionals("FILE", .file, help: "Files to show.")
        _ = arguments.flag("--json", help: "Print an answer for programs.")
        guard files.allSatisfy({ $0.hasSuffix(".gguf") }) else {
            throw UsageError("only .gguf files")
        }
    }

    func run() {}
}

var sampleSet: CommandSet {
    CommandSet(
        program: "espalier", version: "1.2.3", summary: "Prune a transformer to its CPU.",
        commands: [SampleCommand.self, StrictCommand.self])
}

/// Returns the status and the texts of one command line.
func run(_ words: String...) -> (status: ExitStatus, output: String, errors: String) {
    var (output, errors) = ("", "")
    let status = sampleSet.run(words, output: { output += $0 }, errors: { errors += $0 })
    return (status, output, errors)
}

/// Returns the error of a sample command, or nil.
func refusal(_ words: String...) -> String? {
    do throws(UsageError) {
        _ = try SampleCommand.parse(words)
        return nil
    } catch {
        return error.description
    }
}

/// A terminal that records written text.
///
/// The test sets its clock.
final class FakeTerminal: Sendable {
    let written = Mutex("")
    let time = Mutex(0.0)
    let isInteractive: Bool
    let width: Int

    init(isInteractive: Bool, width: Int = 80) {
        self.isInteractive = isInteractive
        self.width = width
    }

    var text: String { written.withLock { $0 } }

    func pass(_ seconds: Double) { time.withLock { $0 += seconds } }

    var terminal: Terminal {
        Terminal(
            isInteractive: isInteractive, width: { [width] in width },
            write: { text in self.written.withLock { $0 += text } },
            now: { self.time.withLock { $0 } })
    }
}
