/// The reason why a profile cannot be used, and the remedy.
public struct ProfileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The profile's file; empty if it is not from a file.
    public var file: String
    /// The part of the profile with the fault, such as `curves.attention[2].seconds`; empty for the
    /// whole profile.
    public var field: String
    /// The problem, with the value found.
    public var problem: String
    /// The remedy.
    public var remedy: String

    /// The remedy for most faults.
    public static let measureAgain = "measure again with `espalier profile`"

    /// Creates an error.
    public init(
        file: String = "", field: String = "", problem: String,
        remedy: String = ProfileError.measureAgain
    ) {
        self.file = file
        self.field = field
        self.problem = problem
        self.remedy = remedy
    }

    /// The file, the field, the problem and the remedy in one line.
    public var description: String {
        let place = [file.isEmpty ? "profile" : file, field].filter { !$0.isEmpty }
        return "\(place.joined(separator: ": ")): \(problem); \(remedy)"
    }

    init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            self.init(field: Self.path(context.codingPath + [key]), problem: "is missing")
        case .valueNotFound(_, let context):
            self.init(field: Self.path(context.codingPath), problem: "is null")
        case .typeMismatch(let type, let context):
            self.init(field: Self.path(context.codingPath), problem: "is not of type \(type)")
        case .dataCorrupted(let context):
            let problem =
                context.codingPath.isEmpty
                ? "is not valid JSON, or it has a number out of range" : "is not a known value"
            self.init(field: Self.path(context.codingPath), problem: problem)
        @unknown default:
            self.init(problem: "cannot be decoded")
        }
    }

    /// The path of a value, such as `curves.attention[2].seconds`.
    static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce("") { path, key in
            if let index = key.intValue { return "\(path)[\(index)]" }
            return path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)"
        }
    }
}
