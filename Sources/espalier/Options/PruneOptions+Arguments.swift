import Console
import Foundation
import Pipeline
import Pruning

extension PruneOptions {
    /// Reads the options.
    ///
    /// - Parameters:
    ///   - arguments: The command-line arguments.
    ///   - printsJSON: Set to whether the report is printed as JSON.
    /// - Throws: `UsageError`.
    init(_ arguments: inout Arguments, printsJSON: inout Bool) throws(UsageError) {
        let model = try arguments.positional("MODEL", .text, help: Help.model)
        let speedups = try arguments.options(
            "--speedup", .number(above: 1), required: true,
            help: "The target speedup, such as 1.5; repeat it for a family of models.")
        let output = try arguments.requiredOption(
            "--output", short: "o", .directory, help: "The directory of the models and the report.")
        self.init(model, speedups: speedups, output: output)
        calibration = try arguments.options(
            "--calibration", .file,
            help: "Plain text like the model's future inputs; for encoders one paragraph on each "
                + "line. A tenth, at most 8192 tokens, is the evaluation set. Encoders need it; "
                + "decoders otherwise generate it.")
        evaluation = try arguments.option(
            "--evaluation", .file, isRare: true,
            help: "A second evaluation set, of another kind of plain text; by default a story "
                + "that is part of the program.")
        profile = try arguments.option(
            "--profile", .file, help: "The profile to use; by default one is made.")
        formats = try FormatChoice.option(&arguments)
        rounding = try arguments.option(
            "--rounding", .choice(), default: .gptq, isRare: true,
            help: "The method of rounding weights to int4: gptq on the refit tokens, or nearest.")
        runtime = try arguments.option(
            "--for", .choice(), default: .any,
            help: "gguf: search only plans that llama.cpp can load, and also write model.gguf.")
        restarts = arguments.flag(
            "--restart", help: "Discard another prune in the output directory.")
        tidies = arguments.flag(
            "--tidy", isRare: true,
            help: "Remove OUTPUT/work at the end; it is needed to resume, to add targets, and for "
                + "sparsify --prune.")
        printsJSON = arguments.flag("--json", help: "Print the report as JSON.")
        environment = try EnvironmentOptions(&arguments)
        attempts = try arguments.option(
            "--attempts", .integer(in: 1...100), default: 4,
            help: "Maximum number of plans measured for a target; 1 for no corrections.")
        seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), isRare: true,
            help: "The maximum time to profile, and to measure each plan, in seconds; by default "
                + "80 and 20.")
        maxLoss = try arguments.option(
            "--max-loss", .number(in: 0...1000).named("LOSS"),
            help: "Write no model with a larger loss on held-out text: for decoders the fraction "
                + "by which the perplexity rises, such as 0.1 for 10%; for encoders the mean cosine "
                + "distance of vectors. By default any loss.")
        arguments.group("Search")
        method = try arguments.option(
            "--method", .choice(), default: .greedy, help: "The method that chooses the plan.")
        baselines = try arguments.options(
            "--baseline", .choice(), isRare: true,
            help: "Also reach the targets by this method, to compare; only units and formats are "
                + "refitted.")
        calibrationTokens = try arguments.option(
            "--calibration-tokens", .integer(in: 256...(1 << 24)).named("TOKENS"),
            default: 32_768, isRare: true, help: "The number of tokens to calibrate on.")
        damping = try arguments.option(
            "--damping", .number(in: 1e-6...10), default: 0.01, isRare: true,
            help: "Fraction of the Hessian's mean diagonal that is added to its diagonal.")
        refitTokens = try arguments.option(
            "--refit-tokens", .integer(in: 0...(1 << 24)).named("TOKENS"), default: 20_480,
            isRare: true,
            help: "The number of calibration tokens on which a final plan is refitted.")
        refitPasses = try arguments.option(
            "--refit-passes", .integer(in: 0...1000), isRare: true,
            help: "Passes over the refit tokens that also fit complete feed-forward blocks, "
                + "for better quality; by default 3 for encoders and 0 for decoders, for which "
                + "they take longer than all other stages.")
        trials = try arguments.option(
            "--trials", .integer(in: 1...1_000_000), default: 1100, isRare: true,
            help: "The number of plans whose loss spdy measures for a target; the first eleventh "
                + "of them are random.")
        checkedPlans = try arguments.option(
            "--check-plans", .integer(in: 0...10_000), default: 0, isRare: true,
            help: "Number of random plans whose divergence from the dense model is measured and "
                + "compared with the loss that the search predicts.")
        seed = try arguments.option(
            "--seed", .seed, default: 1, isRare: true, help: "Seed of random choices.")
        arguments.group("Training")
        recovery = try RecoveryOptions(&arguments)
        program = Bundle.main.executableURL?.path
        try checkUsage(check)
    }
}
