import CommandLine

struct InspectCommand: Command {
    static let name = "inspect"
    static let summary = "Show what a model, a profile or a file of tensors holds."

    init(_ arguments: inout Arguments) throws(UsageError) {
    }

    func run() throws {
    }
}
