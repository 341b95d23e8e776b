import CommandLine
import Foundation
import ModelFiles
import Profiling
import Tensors
import Transformers

/// The command that measures a machine.
struct ProfileCommand: Command {
    static let name = "profile"
    static let summary = "Measure what each prunable structure of a model costs on this CPU."
    static let discussion = """
        Only the model's sizes are needed: a directory with config.json alone will do (not for a \
        command as --runtime), so profile where the model will run and prune where its weights are.

        Example: espalier profile HuggingFaceTB/SmolLM2-135M --phase prefill

        Example: espalier profile ./my-bert --threads 1 -o my-bert-1-thread.json
        """

    private let model: String
    private let options: EnvironmentOptions
    private let seconds: Double
    private let seed: UInt64
    private let plans: Int?
    private let output: String?
    private let asJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        model = try arguments.positional("MODEL", .model, help: ModelLocation.help)
        output = try arguments.option(
            "--output", short: "o", .file,
            help: "Where the profile goes; by default NAME-PHASE.profile.json, with --json "
                + "nowhere.")
        asJSON = arguments.flag("--json", help: "Print the profile instead of a summary.")
        options = try EnvironmentOptions(&arguments)
        seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), default: 80,
            help: "The most time to measure; a quarter more with --verify.")
        let verifies = arguments.flag(
            "--verify", help: "Also measure random plans and compare with the predictions.")
        let count = try arguments.option(
            "--plans", .integer(in: 1...10_000), default: 32, isRare: true,
            help: "How many, with --verify.")
        plans = verifies ? count : nil
        seed = try arguments.option(
            "--seed", .seed, default: 1, isRare: true,
            help: "Decides the order of measurements and what plans are random.")
    }

    func run() throws {
        let location = try ModelLocation(model)
        let (shape, remarks) = try ModelShape.read(location.path)
        remarkOnce(remarks)
        let environment = try options.environment(for: shape, beside: MachineLimits.probeBytes)
        let path = output ?? (asJSON ? nil : "\(location.name)-\(environment.phase).profile.json")
        guard let path else {
            let table = try measure(shape, of: location, in: environment)
            return try writeOutput(Data(table.json()))
        }
        // Created first, so that a place that cannot be written to costs no measurement.
        let file = try AtomicFile(path)
        let table = try measure(shape, of: location, in: environment)
        let json = try table.json()
        try file.append(json)
        try file.commit()
        if asJSON { return try writeOutput(Data(json)) }
        print(ProfileText(table).summary, terminator: "")
        print("\nWritten to \(path); see all of it with 'espalier inspect'.")
    }

    private func measure(
        _ shape: ModelShape, of location: ModelLocation, in environment: Environment
    ) throws -> LatencyTable {
        try Profiler.profile(
            shape, of: location, in: environment, seconds: seconds, seed: seed, plans: plans)
    }
}
