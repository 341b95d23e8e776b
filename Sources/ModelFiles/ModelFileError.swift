/// An error in a model's file: what is wrong, where, and what to do about it.
public struct ModelFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The path of the file.
    public let file: String
    /// The part of the file with the error, such as `tensor "a.weight"`; nil for the whole file.
    public let subject: String?
    /// What is wrong, with the values seen.
    public let problem: String
    /// What to do.
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

    /// Creates an error about a tensor, whose name may be anything.
    public init(file: String, tensor: String, problem: String, remedy: String = Self.damaged) {
        self.init(
            file: file, subject: "tensor \(quoted(tensor))", problem: problem, remedy: remedy)
    }

    /// The remedy if no other is known.
    public static let damaged = "the file is damaged or cut short; fetch or make it again"

    /// File, part, problem and remedy on one line.
    public var description: String {
        [file, subject, problem].compactMap(\.self).joined(separator: ": ") + "; " + remedy
    }
}

/// A name found in a file, made safe to print: quoted, escaped, shortened.
public func quoted(_ name: String) -> String {
    let printable = name.unicodeScalars.prefix(100).map { $0.escaped(asASCII: false) }.joined()
    return "\"" + printable + (name.unicodeScalars.count > 100 ? "…" : "") + "\""
}
