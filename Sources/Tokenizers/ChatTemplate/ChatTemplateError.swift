/// The reason why a model's chat template cannot be applied.
public struct ChatTemplateError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The line of the template, counted from 1; nil if no line is wrong.
    public let line: Int?
    /// The problem, which names the construct.
    public let problem: String

    /// Creates an error.
    public init(line: Int? = nil, problem: String) {
        self.line = line
        self.problem = problem
    }

    /// The line, the problem and the remedy on one line.
    public var description: String {
        let place = line.map { "chat_template, line \($0)" } ?? "chat_template"
        let printable = problem.unicodeScalars.prefix(300).map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                scalar.escaped(asASCII: true)
            default: String(scalar)
            }
        }.joined()
        return "\(place): \(printable); without --chat the prompt is used as it is"
    }
}
