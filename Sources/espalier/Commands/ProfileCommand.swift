import CommandLine

struct ProfileCommand: Command {
    static let name = "profile"
    static let summary = "Measure the latency of every prunable structure on this CPU."

    init(_ arguments: inout Arguments) throws(UsageError) {
    }

    func run() throws {
    }
}
