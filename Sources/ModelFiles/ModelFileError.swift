/// An error in a model's file: the problem, its place, and the remedy.
public struct ModelFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The path of the file.
    public let file: String
    /// The part of the file with the error, such as `tensor "a.weight"`; nil for the complete file.
    public let subject: String?
    /// The problem, with the values that were found.
    public let problem: String
    /// The remedy.
    public let remedy: String

    /// Creates an error.
    ///
    /// The default remedy says that the file is damaged.
    public init(
        file: String, subject: String? = nil, problem: String,
        remedy: String = Self.damaged
    ) {
        self.file = file
        self.subject = subject
        self.problem = problem
        self.remedy = remedy
    }

    /// Creates an error about a tensor, whose name is quoted.
    public init(file: String, tensor: String, problem: String, remedy: String = Self.damaged) {
        self.init(
            file: file, subject: "tensor \(quoted(tensor))", problem: problem, remedy: remedy)
    }

    /// The remedy if no other remedy is known.
    public static let damaged = "the file is damaged or cut short; fetch or make it again"

    /// The file, the part, the problem and the remedy on one line.
    public var description: String {
        [file, subject, problem].compactMap(\.self).joined(separator: ": ") + "; " + remedy
    }
}

/// Returns a name from a file that is safe to print: quoted, escaped and shortened.
public func quoted(_ name: String) -> String {
    let printable = name.unicodeScalars.prefix(100).map { $0.escaped(asASCII: false) }.joined()
    return "\"" + printable + (name.unicodeScalars.count > 100 ? "…" : "") + "\""
}
