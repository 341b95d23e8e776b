import CommandLine
import ContextualSparsity
import Evaluation
import ModelFiles
import Profiling
import Pruning
import Tensors
import Transformers

/// The command that lets a decoder compute only what each token needs.
struct SparsifyCommand: Command {
    static let name = "sparsify"
    static let summary = "Let a decoder compute only what each token needs."
    static let discussion = """
        In decoding, neurons that would add little to a token are not read, and the scores of \
        words are looked at in 4 bits first: only those that may be the greatest are computed. \
        What does not make this machine faster is left as it is. The model is written to OUTPUT \
        with contextual.json and contextual.safetensors beside it, which generate, evaluate and \
        bench follow.

        Half of the text serves to find thresholds, the other to tell what they cost.

        Example: espalier sparsify SmolLM2.gguf --text novels.txt -o sparse

        Example: espalier sparsify out/1.5x --text novels.txt --precision int8 --speedup 1.1 \
        -o sparse
        """

    private let model: String
    private let text: String
    private let output: String
    private let cost: Double
    private let speedup: Double?
    private let context: Int
    private let tokens: Int
    private let seconds: Double
    private let precision: Precision
    private let threads: Int
    private let printsJSON: Bool

    /// The shares of neurons that are tried, one after another.
    private static let densities = [
        0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05,
    ]

    init(_ arguments: inout Arguments) throws(UsageError) {
        model = try arguments.positional("MODEL", .model, help: ModelLocation.help)
        text = try arguments.requiredOption(
            "--text", .file, help: "Plain text like what the model will see.")
        output = try arguments.requiredOption(
            "--output", short: "o", .directory, help: "Where the model goes.")
        cost = try arguments.option(
            "--cost", .number(in: 0...10).named("SHARE"), default: 0.02,
            help: "By what share perplexity may rise.")
        speedup = try arguments.option(
            "--speedup", .number(in: 1...100),
            help: "Stop where decoding is so many times faster than dense; by default as fast as "
                + "--cost allows.")
        context = try arguments.option(
            "--sequence", .integer(in: 1...(1 << 20)).named("TOKENS"), default: 256,
            help: "The cached context of a timed decode step.")
        tokens = try arguments.option(
            "--tokens", .integer(in: 1024...(1 << 24)).named("COUNT"), default: 8192,
            help: "How many tokens of the text.")
        seconds = try arguments.option(
            "--seconds", .number(in: 0.1...86_400), default: 10,
            help: "The most time for each measurement.")
        precision = try EnvironmentOptions.precision(&arguments)
        threads = try EnvironmentOptions.threads(&arguments)
        printsJSON = arguments.flag("--json", help: "Print the result as JSON.")
    }

    func run() throws {
        let opened = try OpenedModel(model)
        let length = min(512, opened.shape.maximumPositions)
        let windows = try opened.windows(
            ofText: text, tokens: tokens, length: length, encoderRemedy: "name a decoder")
        let stream = windows.flatMap(\.self)
        guard windows.count > 1, stream.count > context + 1, context < opened.shape.maximumPositions
        else {
            throw ModelFileError(
                file: text, subject: "--text",
                problem: "it holds \(stream.count) tokens, too few to calibrate and to decode "
                    + "behind \(context)",
                remedy: "give a longer text, or a shorter --sequence")
        }
        let sparsified = try Sparsified(
            opened, precision: precision, calibration: Array(windows.prefix(windows.count / 2)),
            held: Array(windows.dropFirst(windows.count / 2)),
            decoded: Array(stream.prefix(min(context + 64, opened.shape.maximumPositions))),
            context: context, densities: Self.densities, cost: cost, speedup: speedup,
            seconds: seconds, threads: threads)
        if let speedup, sparsified.answer.speedup < speedup {
            throw ModelFileError(
                file: opened.location.path, subject: "--speedup",
                problem: "\(Human.ratio(speedup)) is not reached: at a cost of at most "
                    + "\(Human.percent(cost)) it is \(Human.ratio(sparsified.answer.speedup))",
                remedy: "allow a greater --cost, or prune first")
        }
        try Terminal.standardError.stage("Writing \(output)") {
            try HuggingFaceDirectory.write(
                opened.checkpoint, like: opened.checkpoint, to: output
            ) { _ in try Interruption.check() }
            try ContextualFile.write(sparsified.plan, to: output)
        }
        if printsJSON { try printJSON(sparsified.answer) } else { print(sparsified.answer.text) }
    }
}

/// A decoder's plan of what to leave out, as found by measuring.
private struct Sparsified {
    private(set) var plan: ContextualPlan
    private(set) var answer: SparsifyAnswer

    init(
        _ opened: OpenedModel, precision: Precision, calibration: [[Int32]], held: [[Int32]],
        decoded: [Int32], context: Int, densities: [Double], cost: Double, speedup: Double?,
        seconds: Double, threads: Int
    ) throws {
        let engine = Engine(threads: threads)
        let dense = try opened.packed(in: precision)
        let calibrating = ProgressBar("Calibrating", total: calibration.count, unit: "windows")
        let found = try ContextualCalibration(
            of: dense, source: opened.checkpoint, windows: calibration, densities: densities,
            engine: engine
        ) {
            calibrating.advance(to: $0)
            try Interruption.check()
        }
        calibrating.finish()
        let environment = Environment(
            phase: .decode, batch: 1, sequence: context, threads: threads, precision: precision,
            runtime: "espalier")
        var watch = try Workload(environment, model: dense, text: decoded, engine: engine)
        let terminal = Terminal.standardError
        func perplexity(_ model: Model) throws -> Double {
            try DecoderQuality(of: model, on: held, engine: engine) { _ in
                try Interruption.check()
            }.perplexity
        }
        func measured(_ model: Model) throws -> Comparison {
            try Comparison(
                model, with: &watch, timeLimit: seconds, tick: { _ in try Interruption.check() })
        }
        let whole = try terminal.stage("Evaluating") { try perplexity(dense) }
        plan = found.plan(density: nil, screensHead: true)
        var trials: [SparsifyAnswer.Trial] = []
        // Each plan takes over what the one before has packed.
        var sparse = dense
        func trial(_ density: Double?, screensHead: Bool) throws -> SparsifyAnswer.Trial {
            let name = density.map(Human.percent) ?? "all"
            let next = found.plan(density: density, screensHead: screensHead)
            return try terminal.stage("Trying \(name) of the neurons") {
                sparse = try sparse.applying(next, of: opened.checkpoint)
                let loss = try perplexity(sparse)
                return SparsifyAnswer.Trial(
                    density: density ?? 1, screensHead: screensHead, perplexity: loss,
                    isWithinCost: loss <= whole * (1 + cost), timing: try measured(sparse))
            }
        }
        // What the head alone brings; where that is nothing it stays as it is.
        let head = try trial(nil, screensHead: true)
        trials.append(head)
        let screens = head.isFaster && head.isWithinCost
        var best = screens ? head : nil
        for density in densities {
            if let speedup, let best, best.speedup >= speedup { break }
            let next = try trial(density, screensHead: screens)
            trials.append(next)
            guard next.isWithinCost else { break }
            if next.isFaster, next.speedup > best?.speedup ?? 1 { best = next }
        }
        plan = found.plan(
            density: best.flatMap { $0.density < 1 ? $0.density : nil },
            screensHead: best?.screensHead ?? false)
        let final = try sparse.applying(plan, of: opened.checkpoint)
        let same =
            try best?.screensHead == true
            ? terminal.stage("Comparing words") {
                try ContextualCalibration.sameWords(of: final, on: held, engine: engine) {
                    try Interruption.check()
                }
            } : nil
        answer = SparsifyAnswer(
            densePerplexity: whole, headMargin: found.headMargin, trials: trials, best: best,
            sameWords: same?.share, comparedWords: same?.words)
    }
}

/// What `sparsify` found.
private struct SparsifyAnswer: Encodable {
    /// One plan.
    struct Trial: Encodable {
        /// The share of neurons that was to count.
        let density: Double
        let screensHead: Bool
        let perplexity: Double
        let isWithinCost: Bool
        let speedup: Double
        /// The ends of the speedup's 95 % confidence interval.
        let interval: [Double]
        let isDisturbed: Bool

        init(
            density: Double, screensHead: Bool, perplexity: Double, isWithinCost: Bool,
            timing: Comparison
        ) {
            (self.density, self.screensHead) = (density, screensHead)
            (self.perplexity, self.isWithinCost) = (perplexity, isWithinCost)
            speedup = timing.speedup
            interval = [timing.interval.lowerBound, timing.interval.upperBound]
            isDisturbed = timing.isDisturbed
        }

        /// Whether it is surely faster than dense.
        var isFaster: Bool { interval[0] > 1 }
    }

    let densePerplexity: Double
    let headMargin: Float
    let trials: [Trial]
    /// What was written; nil where nothing is faster than dense.
    let best: Trial?
    /// The share of words that are chosen as by exact scores, where they are looked at coarsely.
    let sameWords: Double?
    /// Over how many words.
    let comparedWords: Int?

    var speedup: Double { best?.speedup ?? 1 }

    /// What is shown.
    var text: String {
        var table = Table("neurons", "head", "perplexity", "cost", "speedup", "95% interval", "")
        for trial in trials {
            table.add(row: [
                Human.percent(trial.density), trial.screensHead ? "4 bits first" : "whole",
                Human.significant(trial.perplexity, digits: 4),
                Human.percent(trial.perplexity / densePerplexity - 1),
                Human.ratio(trial.speedup),
                "\(Human.significant(trial.interval[0], digits: 4))–"
                    + Human.significant(trial.interval[1], digits: 4),
                trial.density == best?.density && trial.screensHead == best?.screensHead
                    ? "written" : "",
            ])
        }
        var text = """
            Decoding, and perplexity on the half of the text that was not calibrated on; \
            \(Human.significant(densePerplexity, digits: 4)) dense:

            \(table.rendered())
            """
        if let sameWords, let comparedWords {
            text +=
                "\nOf \(comparedWords) words \(Human.significant(100 * sameWords, digits: 5))% are"
            text += " the same as by exact scores."
        }
        if best == nil { text += "\nNothing is surely faster than dense here: all stays as it is." }
        if trials.contains(where: \.isDisturbed) {
            text += "\nOther programs took processor time: stop them and measure again."
        }
        return text
    }
}
