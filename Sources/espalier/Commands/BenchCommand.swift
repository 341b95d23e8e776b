import CommandLine

struct BenchCommand: Command {
    static let name = "bench"
    static let summary = "Measure a model's speed, alone or against another."

    init(_ arguments: inout Arguments) throws(UsageError) {
    }

    func run() throws {
    }
}
