import CommandLine

struct GenerateCommand: Command {
    static let name = "generate"
    static let summary = "Continue a prompt with a decoder."

    init(_ arguments: inout Arguments) throws(UsageError) {
    }

    func run() throws {
    }
}
