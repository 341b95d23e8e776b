/// A program that runs models.
public enum Runtime: Hashable, Sendable {
    /// The built-in runtime.
    case builtIn
    /// ONNX Runtime in Python, which loads `model.onnx`.
    case onnxRuntime
    /// A command that gets a model's directory and prints the seconds of one run.
    case command(String)

    private static let commandPrefix = "command:"

    /// Reads a name such as `onnxruntime` or `command:./time-it`; nil for other names.
    public init?(_ name: String) {
        switch name {
        case "espalier": self = .builtIn
        case "onnxruntime": self = .onnxRuntime
        default:
            let command = name.dropFirst(Self.commandPrefix.count)
            guard name.hasPrefix(Self.commandPrefix), command.contains(where: { $0 != " " })
            else { return nil }
            self = .command(String(command))
        }
    }

    /// The name that ``init(_:)`` reads.
    public var name: String {
        switch self {
        case .builtIn: "espalier"
        case .onnxRuntime: "onnxruntime"
        case .command(let command): Self.commandPrefix + command
        }
    }
}
