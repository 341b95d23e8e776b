import Pipeline

/// Makes a decoder 1.25 times faster on this machine, and prints what that costs.
func prune(
    _ model: String, text: String, profile: String? = nil, seconds: Double? = nil, to output: String
) throws {
    var options = PruneOptions(model, speedups: [1.25], output: output)
    options.calibration = [text]
    (options.profile, options.seconds) = (profile, seconds)
    let report = try PruneJob(options).run()
    for target in report.targets {
        print("\(target.path): measured \(target.measured) times faster")
        print("perplexity \(target.perplexity ?? 0), before \(report.dense.perplexity ?? 0)")
    }
}
