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
    try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
}

/// Writes remarks to standard error, each once however often its model is opened.
func remarkOnce(_ texts: [String]) {
    for text in texts {
        let isNew = remarked.withLock { $0.insert(text).inserted }
        if isNew { remark(text) }
    }
}

private let remarked = Mutex<Set<String>>([])
