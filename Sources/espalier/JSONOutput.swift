import CommandLine
import Foundation
import ModelFiles
import Synchronization

/// The answer of a command to a program: indented JSON with sorted keys on standard output.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try writeOutput(encoder.encode(value) + Data("\n".utf8))
}

/// Writes bytes to standard output at once, past any buffer.
func writeOutput(_ data: Data) throws {
    do { try FileHandle.standardOutput.write(contentsOf: data) } catch {
        throw ModelFileError(
            file: "standard output", problem: "it cannot be written: \(error.plainReason)",
            remedy: "make room where it goes")
    }
}

/// Writes a remark to standard error.
func remark(_ text: String) {
    let shown = Human.printable(text, keepingLines: true)
    try? FileHandle.standardError.write(contentsOf: Data((shown + "\n").utf8))
}

/// Prints what a command answers to people; takes the place of the standard library's function, so
/// that nothing from a file reaches the terminal as a control character.
func print(_ text: String, terminator: String = "\n") {
    Swift.print(Human.printable(text, keepingLines: true), terminator: terminator)
}

/// Writes remarks to standard error, each once however often its model is opened.
func remarkOnce(_ texts: [String]) {
    for text in texts {
        let isNew = remarked.withLock { $0.insert(text).inserted }
        if isNew { remark(text) }
    }
}

private let remarked = Mutex<Set<String>>([])
