import Console
import Foundation
import ModelFiles
import Pipeline
import Tensors

/// The command that measures the costs of a model's parts on this machine.
struct ProfileCommand: Command {
    static let name = "profile"
    static let summary = "Measure the time of each prunable structure of a model on this CPU."
    static let discussion = """
        Only the model's sizes are needed: a directory with config.json is enough, except for \
        --runtime command. So you can profile on the machine that will run the model, and prune \
        on the machine that has its weights.

        Example: espalier profile HuggingFaceTB/SmolLM2-135M --phase prefill

        Example: espalier profile ./my-bert --threads 1 -o my-bert-1-thread.json
        """

    private let options: ProfileOptions
    private let output: String?
    private let asJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        var options = ProfileOptions(
            try arguments.positional("MODEL", .model, help: Help.model))
        output = try arguments.option(
            "--output", short: "o", .file,
            help: "The file to write; by default NAME-PHASE.profile.json, and none with --json.")
        asJSON = arguments.flag("--json", help: "Print the profile instead of a summary.")
        options.environment = try EnvironmentOptions(&arguments)
        options.formats = try FormatChoice.option(&arguments)
        options.seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), default: 80,
            help: "The maximum time of the measurement in seconds; a quarter more with --verify.")
        let verifies = arguments.flag(
            "--verify", help: "Also measure random plans and compare with the predictions.")
        let count = try arguments.option(
            "--plans", .integer(in: 1...10_000), default: 32, isRare: true,
            help: "The number of random plans of --verify.")
        options.plans = verifies ? count : nil
        options.seed = try arguments.option(
            "--seed", .seed, default: 1, isRare: true,
            help: "Seed of the order of measurements and of the random plans.")
        self.options = options
    }

    func run() throws {
        let job = try ProfileJob(options, progress: TerminalProgress())
        let name = "\(job.location.name)-\(job.environment.phase).profile.json"
        guard let path = output ?? (asJSON ? nil : name) else {
            return try writeOutput(Data(try job.run().json()))
        }
        // The file is created first, so that no measurement is lost if the path cannot be written
        // to.
        let file = try AtomicFile(path)
        let table = try job.run()
        let json = try table.json()
        try file.append(json)
        try file.commit()
        if asJSON { return try writeOutput(Data(json)) }
        print(ProfileText(table).summary, terminator: "")
        print("\nWritten to \(path); 'espalier inspect' shows all levels.")
    }
}
