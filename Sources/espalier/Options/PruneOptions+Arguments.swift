import CommandLine
import Foundation
import Pipeline
import Pruning

extension PruneOptions {
    /// Reads the options.
    ///
    /// - Parameters:
    ///   - arguments: What the user wrote.
    ///   - printsJSON: Becomes whether the report is printed as JSON.
    /// - Throws: `UsageError`.
    init(_ arguments: inout Arguments, printsJSON: inout Bool) throws(UsageError) {
        let model = try arguments.positional("MODEL", .text, help: Help.model)
        let speedups = try arguments.options(
            "--speedup", .number(above: 1), required: true,
            help: "How many times faster to become; again for a family.")
        let output = try arguments.requiredOption(
            "--output", short: "o", .directory, help: "Where models and report go.")
        self.init(model, speedups: speedups, output: output)
        calibration = try arguments.options(
            "--calibration", .file,
            help: "Plain text like what the model will see, for encoders a paragraph a line; a "
                + "tenth, at most 8192 tokens, is held out to evaluate. Encoders need it, decoders "
                + "write text of their own without.")
        evaluation = try arguments.option(
            "--evaluation", .file, isRare: true,
            help: "Plain text of another kind, to evaluate on as well; by default a story that "
                + "comes with the program.")
        profile = try arguments.option(
            "--profile", .file, help: "A profile made before; else this CPU is profiled first.")
        runtime = try arguments.option(
            "--for", .choice(), default: .any,
            help: "gguf keeps to plans that llama.cpp loads, and writes model.gguf too.")
        restarts = arguments.flag(
            "--restart", help: "Discard what the output directory holds of another prune.")
        tidies = arguments.flag(
            "--tidy",
            help: "Remove OUTPUT/work at the end: it serves to resume, to add targets, and "
                + "sparsify --prune.")
        printsJSON = arguments.flag("--json", help: "Print the report as JSON.")
        environment = try EnvironmentOptions(&arguments)
        attempts = try arguments.option(
            "--attempts", .integer(in: 1...100), default: 4,
            help: "Plans measured at most for a target; 1 trusts the profile.")
        seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), isRare: true,
            help: "The most time to profile, and as much to measure each plan; by default 80 "
                + "and 20.")
        maxLoss = try arguments.option(
            "--max-loss", .number(in: 0...1000).named("LOSS"),
            help: "Write no model that loses more on held-out text: a fraction of perplexity for "
                + "decoders, such as 0.1 for 10% more, the mean cosine distance from the dense "
                + "model's vectors for encoders. By default any.")
        arguments.group("Search")
        method = try arguments.option(
            "--method", .choice(), default: .greedy, help: "How the plan is chosen.")
        baselines = try arguments.options(
            "--baseline", .choice(), isRare: true,
            help: "Reach the targets by this method too, not refitted, to compare; again for more.")
        calibrationTokens = try arguments.option(
            "--calibration-tokens", .integer(in: 256...(1 << 24)).named("TOKENS"),
            default: 32_768, isRare: true, help: "How many tokens to calibrate on.")
        damping = try arguments.option(
            "--damping", .number(in: 1e-6...10), default: 0.01, isRare: true,
            help: "Fraction of the Hessian's mean diagonal added to it.")
        refitTokens = try arguments.option(
            "--refit-tokens", .integer(in: 0...(1 << 24)).named("TOKENS"), default: 20_480,
            isRare: true,
            help: "How many of them to refit kept weights on when a plan is final.")
        refitPasses = try arguments.option(
            "--refit-passes", .integer(in: 0...1000), isRare: true,
            help: "How often feed-forward blocks see them too, for better quality; by default 3 "
                + "for encoders and 0 for decoders, where that takes longer than all else.")
        trials = try arguments.option(
            "--trials", .integer(in: 1...1_000_000), default: 1100, isRare: true,
            help: "Plans whose loss spdy measures for a target; the first eleventh at random.")
        seed = try arguments.option(
            "--seed", .seed, default: 1, isRare: true, help: "Decides what is random.")
        arguments.group("Training")
        recovery = try RecoveryOptions(&arguments)
        program = Bundle.main.executableURL?.path
        try checkUsage(check)
    }
}
