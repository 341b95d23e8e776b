import Console
import Foundation
import ModelFiles

/// Prints the answer of a command as indented JSON with sorted keys on standard output.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try writeOutput(encoder.encode(value) + Data("\n".utf8))
}

/// Writes bytes to standard output immediately, without buffering.
func writeOutput(_ data: Data) throws {
    do { try FileHandle.standardOutput.write(contentsOf: data) } catch {
        throw ModelFileError(
            file: "standard output", problem: "it cannot be written: \(error.plainReason)",
            remedy: "check that it is open and that its disk has room")
    }
}

/// Prints the answer of a command as text.
///
/// It replaces the standard library's function, so that control characters from files do not reach
/// the terminal.
func print(_ text: String, terminator: String = "\n") {
    Swift.print(TerminalText.printable(text, keepingLines: true), terminator: terminator)
}
