import CommandLine
import ModelFiles
import Profiling
import Tensors
import Transformers

/// The command that measures whole models.
struct BenchCommand: Command {
    static let name = "bench"
    static let summary = "Measure how fast a model is, alone or against another."
    static let discussion = """
        Two models are timed in turn, so that whatever slows the machine slows both; the speedup is \
        the median of the pairs' ratios with its 95% confidence interval. --limits tells how near \
        the kernels come to what this machine can do at most. --serve is how \
        scripts/compare-runtimes times this program in turn with others.

        Example: espalier bench pruned/1.5x --against HuggingFaceTB/SmolLM2-135M

        Example: espalier bench out/1.5x --precision int8 --against SmolLM2.gguf \
        --against-precision f32

        Example: espalier bench my-bert --batch 8 --threads 1 --limits --json
        """

    private let model: String
    private let dense: String?
    private let densePrecision: Precision?
    private let options: EnvironmentOptions
    private let text: String?
    private let seconds: Double
    private let measuresLimits: Bool
    private let serves: Bool
    private let asJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        model = try arguments.positional("MODEL", .model, help: ModelLocation.help)
        dense = try arguments.option(
            "--against", .model, help: "The model to compare with, which takes the same input.")
        densePrecision = try arguments.option(
            "--against-precision", .choice(),
            help: "The precision of that model; by default --precision too. MODEL itself may be "
                + "compared, in two precisions.")
        text = try arguments.option(
            "--text", .file,
            help: "Plain text to decode; needed by a model that sparsify made, whose steps take "
                + "as long as the text makes them.")
        asJSON = arguments.flag("--json", help: "Print JSON instead of text.")
        options = try EnvironmentOptions(&arguments)
        seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), default: 20, help: "The most time to measure.")
        measuresLimits = arguments.flag(
            "--limits", isRare: true,
            help: "Also measure the machine's limits and how near the kernels come.")
        serves = arguments.flag(
            "--serve", isRare: true,
            help: "For programs: time the model whenever a line with a number of runs is read.")
        guard densePrecision == nil || dense != nil else {
            throw UsageError("--against-precision goes with --against: name the other model")
        }
        if serves, dense != nil || measuresLimits {
            throw UsageError("--serve times one model: leave out --against and --limits")
        }
    }

    func run() throws {
        let opened = try OpenedModel(model)
        let environment = try options.environment(
            for: opened.shape, beside: measuresLimits ? MachineLimits.probeBytes : 0)
        let loaded = LoadedModel(opened, model: try opened.contextual(in: options.precision))
        let other = try OtherRuntime(environment)
        if other != nil, serves || measuresLimits {
            throw UsageError("--serve and --limits are of the built-in runtime: drop --runtime")
        }
        if serves {
            var server = try TimingServer(
                loaded.model, in: environment, text: try decodedText([loaded], in: environment))
            return try server.run()
        }
        if other != nil, densePrecision != nil {
            throw UsageError(
                "--against-precision is of the built-in runtime: drop it, or drop --runtime")
        }
        let reference = try dense.map {
            try LoadedModel($0, precision: densePrecision ?? options.precision)
        }
        if let reference {
            try loaded.check(against: reference)
            try environment.check(against: reference.model.shape)
        }
        let engine = Engine(threads: environment.threads)
        var answer = BenchAnswer(environment)
        if let reference, reference.model.precision != environment.precision {
            answer.densePrecision = reference.model.precision
        }
        if let other {
            var watch = try other.stopwatch(against: (reference ?? loaded).opened)
            let files = try reference == nil ? watch.dense : other.emit(loaded.opened)
            try measure(files, with: &watch, into: &answer)
        } else {
            var conditions = environment
            conditions.precision = (reference ?? loaded).model.precision
            var watch = try Workload(
                conditions, model: (reference ?? loaded).model,
                text: try decodedText([loaded, reference].compactMap(\.self), in: environment),
                engine: engine)
            try measure(loaded.model, with: &watch, into: &answer)
        }
        if measuresLimits {
            answer.limits = try Terminal.standardError.stage("Measuring the machine's limits") {
                try LimitsAnswer(of: loaded.model, in: environment, on: engine) {
                    try Interruption.check()
                }
            }
        }
        asJSON
            ? try printJSON(answer)
            : print(
                answer.text(names: [loaded, reference].compactMap { $0?.location.name }),
                terminator: "")
    }

    /// The tokens to decode, where it matters which, behind the context that the environment has.
    private func decodedText(
        _ models: [LoadedModel], in environment: Environment
    ) throws -> [Int32] {
        guard environment.phase == .decode else { return [] }
        let least = environment.sequence + 1
        guard let text else {
            guard
                let contextual = models.first(where: {
                    $0.model.contextualSequences >= environment.batch
                })
            else { return [] }
            throw ModelFileError(
                file: contextual.location.path, subject: "contextual.json",
                problem: "how long a token takes depends on the text",
                remedy: "give --text with more than \(environment.sequence) tokens")
        }
        let tokens =
            try models[0].opened.windows(
                ofText: text, tokens: least + 63, length: least + 63,
                encoderRemedy: "name a decoder"
            ).first ?? []
        guard tokens.count >= least else {
            throw ModelFileError(
                file: text, subject: "--text", problem: "it holds \(tokens.count) tokens",
                remedy: "give more than the \(environment.sequence) of the context")
        }
        return tokens
    }

    /// Times a model, against the dense one where the user gave one.
    private func measure<Watch: Stopwatch>(
        _ subject: Watch.Subject, with watch: inout Watch, into answer: inout BenchAnswer
    ) throws {
        let title = dense == nil ? "Measuring" : "Measuring both models"
        try Terminal.standardError.stage(title) {
            guard dense != nil else {
                return try answer.time(subject, with: &watch, timeLimit: seconds) {
                    try Interruption.check()
                }
            }
            answer.add(
                try Comparison(
                    subject, with: &watch, timeLimit: seconds,
                    tick: { _ in try Interruption.check() }))
        }
    }
}

extension LoadedModel {
    /// Checks that two models can do the same work, as a pruned model and its original can.
    ///
    /// - Throws: `ModelFileError` with the size that differs.
    fileprivate func check(against other: LoadedModel) throws(ModelFileError) {
        let (mine, its) = (model.shape, other.model.shape)
        let sizes: [(String, String, String)] = [
            ("architecture", mine.architecture.name, its.architecture.name),
            ("head dimension", "\(mine.headDimension)", "\(its.headDimension)"),
            ("vocabulary", "\(mine.vocabularySize)", "\(its.vocabularySize)"),
        ]
        for (name, left, right) in sizes where left != right {
            throw ModelFileError(
                file: location.path, subject: name,
                problem: "\(left), but \(other.location.path) has \(right)",
                remedy: "give --against the model that this one was pruned from")
        }
    }
}
