internal import Foundation
internal import ModelFiles
public import Reporting

extension PruneReport {
    /// Reads the report of a prune's directory.
    ///
    /// - Parameter run: The directory.
    /// - Throws: `ModelFileError` if there is no readable report.
    public init(inDirectory run: String) throws {
        let path = run + "/report.json"
        let bytes = try InputFile(path: path).bytes
        do { try self.init(json: Data(bytes)) } catch {
            throw ModelFileError(
                file: path, problem: "it is not the report of a prune: \(error.plainReason)",
                remedy: "run `espalier prune` with this -o again")
        }
        normaliseTimes()
    }

    /// Writes the report in all its formats.
    func write(toDirectory run: String) throws {
        try AtomicFile.write(try json(), to: run + "/report.json")
        try AtomicFile.write(Array(markdown.utf8), to: run + "/report.md")
        try AtomicFile.write(Array(html.utf8), to: run + "/report.html")
    }
}
