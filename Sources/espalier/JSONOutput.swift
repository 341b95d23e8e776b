import CommandLine
import Foundation
import ModelFiles

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

/// Prints what a command answers to people; takes the place of the standard library's function, so
/// that nothing from a file reaches the terminal as a control character.
func print(_ text: String, terminator: String = "\n") {
    Swift.print(TerminalText.printable(text, keepingLines: true), terminator: terminator)
}
