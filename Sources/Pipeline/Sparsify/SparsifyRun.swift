internal import ContextualSparsity
internal import Evaluation
internal import Foundation
internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Reporting
internal import Tensors
internal import Transformers

/// Searches for the neurons, heads and inputs that a decoder can leave out token by token.
struct SparsifyRun {
    /// The requirements of the search.
    struct Request {
        /// The maximum fraction by which perplexity may rise.
        var cost: Double
        /// The required speedup over the dense model; nil for the highest that the cost allows.
        var speedup: Double?
        /// The fraction of neurons that is computed in every layer; nil to search for it.
        var density: Double?
        /// The methods that may select the neurons that a token needs.
        var choices: [NeuronChoice]
        /// The maximum time for each measurement, in seconds.
        var seconds: Double
        /// The directory of a prune of the model, whose units may then be removed permanently; nil
        /// for none.
        var prune: String?
    }

    /// A decoder with the plan that selects what it computes.
    struct Candidate {
        /// The weights that are not removed.
        let weights: any WeightSource
        /// The model of these weights, without the plan.
        let whole: Model
        let plan: ContextualPlan
    }

    /// The fractions of computed neurons that the search may choose from.
    private static let densities = [
        0.85, 0.75, 0.65, 0.57, 0.5, 0.44, 0.38, 0.32, 0.26, 0.2, 0.15, 0.1, 0.05,
    ]
    /// The number of bisection steps in the search for the highest speedup within the cost.
    private static let halvings = 8
    /// The maximum number of plans that are measured to reach the required speedup.
    private static let attempts = 5
    /// The speedup that the search aims at, divided by the required speedup.
    private static let margin = 1.015

    private let opened: OpenedModel
    private let environment: InferenceEnvironment
    private let request: Request
    private let engine: Engine
    private let progress: any JobProgress
    private let dense: Model
    private let held: [[Int32]]
    private let calibration: [[Int32]]
    private let found: ContextualCalibration
    private let whole: Double
    private var watch: Workload
    /// The model of the last plan; the next plan reuses its packed weights.
    private var sparse: Model
    private var trials: [SparsityReport.Trial] = []
    private var removing: (removal: Removal, surgery: Surgery)?

    /// Calibrates and evaluates the dense model.
    ///
    /// - Parameters:
    ///   - opened: The decoder.
    ///   - environment: The conditions of timing.
    ///   - request: The requirements of the search.
    ///   - windows: The text: the first half calibrates, the second half evaluates plans.
    ///   - decoded: The tokens that timed steps decode.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    init(
        _ opened: OpenedModel, in environment: InferenceEnvironment, request: Request,
        windows: [[Int32]], decoded: [Int32]
    ) throws {
        (self.opened, self.environment, self.request) = (opened, environment, request)
        progress = opened.progress
        engine = Engine(threads: environment.threads)
        (calibration, held) = (
            Array(windows.prefix(windows.count / 2)), Array(windows.dropFirst(windows.count / 2))
        )
        removing = try request.prune.map { [engine] in
            try Self.removal($0, of: opened, in: environment, engine: engine)
        }
        dense = try opened.packed(in: environment.precision)
        sparse = dense
        found = try progress.counting(
            "Calibrating", total: opened.shape.layers.count, unit: "layers"
        ) { [dense, calibration, engine] advance in
            try ContextualCalibration(
                of: dense, source: opened.checkpoint, windows: calibration,
                choices: request.choices,
                densities: request.density.map { [$0] } ?? Self.densities, engine: engine,
                progress: advance)
        }
        watch = try Workload(environment, model: dense, text: decoded, engine: engine)
        whole = try progress.stage("Evaluating") { [engine, dense, held, progress] in
            try DecoderQuality(of: dense, on: held, engine: engine, progress: progress.check)
                .perplexity
        }
    }

    /// Searches, and measures the model that was found.
    mutating func run() throws -> (model: Candidate, report: SparsityReport) {
        let found =
            if let density = request.density { try everywhere(density) } else { try searched() }
        let nothing = plain(self.found.plan(density: nil, screensHead: false))
        let chosen = found?.candidate ?? nothing
        return (chosen, try report(chosen, found?.trial))
    }

    /// A candidate with its measurements.
    private typealias MeasuredCandidate = (candidate: Candidate, trial: SparsityReport.Trial)

    /// Returns the dense model with a plan.
    private func plain(_ plan: ContextualPlan) -> Candidate {
        candidate(opened.checkpoint, dense, plan)
    }

    /// Returns a model with a plan for the number of sequences that are timed together.
    private func candidate(
        _ weights: any WeightSource, _ whole: Model, _ plan: ContextualPlan
    ) -> Candidate {
        var plan = plan
        plan.sequences = environment.batch
        return Candidate(weights: weights, whole: whole, plan: plan)
    }

    /// Measures the dense model with the same fraction of neurons in every layer; nil for a
    /// fraction of 1.
    private mutating func everywhere(_ density: Double) throws -> MeasuredCandidate? {
        let candidate = plain(
            found.plan(request.choices[0], density: density, screensHead: density < 1))
        let trial = try trial("\(Figures.percent(density)) everywhere", candidate, isTimed: true)
        return density < 1 ? (candidate, trial) : nil
    }

    /// Returns the result of the search; nil if nothing is faster than the dense model.
    private mutating func searched() throws -> MeasuredCandidate? {
        let head = plain(found.plan(density: nil, screensHead: true))
        let trial = try trial("output head in 4 bits first", head, isTimed: true)
        let screens = trial.isFaster && trial.isWithinCost
        let search = try search(headSaving: screens ? 1 - 1 / (trial.speedup ?? 1) : 0)
        let best = screens ? (head, trial) : nil
        if let target = request.speedup {
            return try reach(target, by: search, screensHead: screens, before: best)
        }
        return try fastest(by: search, screensHead: screens, before: best)
    }

    private static func name(_ speedup: Double) -> String {
        "\(Figures.ratio(speedup)) by the search"
    }

    /// Returns the first candidate within the cost whose confidence interval lies entirely at or
    /// above the speedup.
    ///
    /// If there is no such candidate, the result is the fastest measured candidate within the cost.
    private mutating func reach(
        _ target: Double, by search: DensitySearch, screensHead: Bool, before: MeasuredCandidate?
    ) throws -> MeasuredCandidate? {
        var (best, aim) = (before, target * Self.margin)
        for _ in 0..<Self.attempts where aim < search.maximumSpeedup {
            let next = try candidate(search.choice(speedup: aim), screensHead: screensHead)
            let trial = try trial(Self.name(aim), next, isTimed: true)
            // Faster candidates cost even more.
            guard trial.isWithinCost else { break }
            best = Self.better(best, (next, trial))
            if trial.interval[0] >= target { return (next, trial) }
            aim *= max(target * Self.margin / (trial.speedup ?? 1), 1.005)
        }
        return best
    }

    /// Returns the candidate within the cost that has the highest predicted speedup.
    ///
    /// Only this candidate is timed.
    private mutating func fastest(
        by search: DensitySearch, screensHead: Bool, before: MeasuredCandidate?
    ) throws -> MeasuredCandidate? {
        var (low, high) = (max(1, before?.trial.speedup ?? 1), search.maximumSpeedup)
        var cheap: Candidate?
        for _ in 0..<Self.halvings where high > low * 1.005 {
            let middle = (low * high).squareRoot()
            let next = try candidate(search.choice(speedup: middle), screensHead: screensHead)
            if try trial(Self.name(middle), next, isTimed: false).isWithinCost {
                (low, cheap) = (middle, next)
            } else {
                high = middle
            }
        }
        guard let cheap else { return before }
        trials.removeAll { $0.name == Self.name(low) }
        return Self.better(before, (cheap, try trial(Self.name(low), cheap, isTimed: true)))
    }

    /// Returns the faster of two candidates.
    ///
    /// The candidate `next` counts only if it is within the cost and its confidence interval shows
    /// that it is faster than the dense model.
    private static func better(_ known: MeasuredCandidate?, _ next: MeasuredCandidate)
        -> MeasuredCandidate?
    {
        guard next.trial.isWithinCost, next.trial.isFaster else { return known }
        return next.trial.speedup ?? 1 > known?.trial.speedup ?? 1 ? next : known
    }

    /// Returns the model of a choice.
    ///
    /// If units are removed, the remaining units are calibrated again.
    private func candidate(
        _ choice: DensitySearch.Choice, screensHead: Bool
    ) throws -> Candidate {
        guard let removing, choice.plan != Plan(keepingAllOf: opened.shape) else {
            return plain(found.plan(screensHead: screensHead) { choice.levels[$0] })
        }
        let weights = ShrunkWeights(
            choice.plan, losses: removing.removal.losses, surgery: removing.surgery,
            order: .optimalBrainSurgeon)
        let whole = try progress.stage("Removing units") {
            try Model(weights, formats: dense.formats, progress: progress.check)
        }
        let repeated = try progress.stage("Calibrating the remaining units") {
            try ContextualCalibration(
                of: whole, source: weights, windows: calibration,
                choices: request.choices.filter { method in
                    choice.levels.contains { $0.value.choice == method }
                },
                densities: Self.densities, engine: engine, progress: progress.check)
        }
        let plan = repeated.plan(screensHead: screensHead) { component in
            choice.levels[component].map { level in
                repeated.level(
                    like: level, computing: choice.computed[component] ?? 1, in: component)
            }
        }
        return self.candidate(weights, whole, plan)
    }

    /// Measures the time that levels save and the loss that they cost.
    private mutating func search(headSaving: Double) throws -> DensitySearch {
        var saved: [DensitySearch.Method: [Double]] = [:]
        for method in DensitySearch.Method.all(of: request.choices) {
            for density in DensitySearch.probes {
                let plan = found.plan(screensHead: false) {
                    $0.kind == method.kind ? DensityLevel(method.choice, density: density) : nil
                }
                let units =
                    method.kind == .feedForward
                    ? "neurons" : method.choice == .computed ? "attention's inputs" : "heads"
                let measured = try progress.stage(
                    "Timing \(Figures.percent(density)) of \(units) (\(method.choice))"
                ) { try timing(try sparsified(plain(plan))) }
                saved[method, default: []].append(1 - 1 / measured.speedup)
            }
        }
        let sensitivity = try progress.counting(
            "Measuring sensitivity", total: opened.shape.layers.count, unit: "layers"
        ) { advance in
            try ContextualSensitivity(
                found, of: dense, source: opened.checkpoint,
                windows: Array(calibration.prefix(2)), choices: request.choices, engine: engine,
                progress: advance)
        }
        return DensitySearch(
            found, densities: Self.densities, shape: opened.shape, saved: saved,
            headSaving: headSaving, sensitivity: sensitivity, removal: removing?.removal)
    }

    /// Reads the profile, losses and sensitivities of a prune of the model.
    ///
    /// - Throws: `ModelFileError` if the prune is of another model or is incomplete.
    private static func removal(
        _ directory: String, of opened: OpenedModel, in environment: InferenceEnvironment,
        engine: Engine
    ) throws -> (removal: Removal, surgery: Surgery) {
        guard FileManager.default.fileExists(atPath: directory + "/" + Product.moments) else {
            throw ModelFileError(
                file: directory, subject: "--prune",
                problem: "it has no \(Product.moments), which `prune --tidy` removes",
                remedy: "name the directory of a prune without --tidy, or prune again")
        }
        let table = try LatencyTable(
            contentsOf: directory + "/" + Product.profile, of: opened, in: environment)
        if table.environment.machine != environment.machine {
            opened.progress.remark(
                "The profile of \(directory) is of another machine (\(table.environment.machine)): "
                    + "the time of removed units is estimated from it.")
        }
        let surgery = Surgery(
            opened.checkpoint,
            calibration: try CalibrationFile(path: directory + "/" + Product.moments),
            engine: engine)
        func read<Value: Decodable>(_ product: String) throws -> Value {
            let path = directory + "/" + product
            do {
                return try JSONDecoder().decode(
                    Value.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
            } catch {
                throw ModelFileError(
                    file: path, problem: "it cannot be read as a file of a prune",
                    remedy: "name the directory of a complete prune of this model")
            }
        }
        return (
            Removal(
                table: table, losses: try read(Product.losses),
                sensitivity: try read(Product.sensitivity)), surgery
        )
    }

    /// Returns the model of a candidate.
    ///
    /// If it has the shape of the dense model, it reuses the packed weights of the last model.
    private mutating func sparsified(_ candidate: Candidate) throws -> Model {
        guard candidate.whole.shape == dense.shape else {
            return try candidate.whole.applying(candidate.plan, of: candidate.weights)
        }
        sparse = try sparse.applying(candidate.plan, of: candidate.weights)
        return sparse
    }

    private mutating func timing(_ model: Model) throws -> Comparison {
        try Comparison(
            model, with: &watch, timeLimit: request.seconds,
            tick: progress.check)
    }

    private mutating func trial(
        _ name: String, _ candidate: Candidate, isTimed: Bool
    ) throws -> SparsityReport.Trial {
        try progress.stage("Trying \(name)") { () -> SparsityReport.Trial in
            let model = try sparsified(candidate)
            let perplexity = try DecoderQuality(
                of: model, on: held, engine: engine, progress: progress.check
            ).perplexity
            let timing = isTimed ? try timing(model) : nil
            let trial = SparsityReport.Trial(
                name: name, perplexity: perplexity, speedup: timing?.speedup,
                interval: timing.map { [$0.interval.lowerBound, $0.interval.upperBound] } ?? [],
                isWithinCost: perplexity <= whole * (1 + request.cost),
                isDisturbed: timing?.isDisturbed ?? false)
            trials.append(trial)
            return trial
        }
    }

    /// Returns the report on the model that was found.
    private mutating func report(
        _ chosen: Candidate, _ best: SparsityReport.Trial?
    ) throws -> SparsityReport {
        let (plan, model) = (chosen.plan, try sparsified(chosen))
        let same =
            try plan.headMargin == nil
            ? nil
            : progress.stage("Comparing tokens") {
                try ContextualCalibration.sameWords(
                    of: model, on: held, engine: engine, progress: progress.checkCancellation)
            }
        let layers = try progress.stage("Comparing neurons") {
            try NeuronRecall.all(
                of: plan, model: chosen.whole, source: chosen.weights,
                windows: Array(held.prefix(2)), engine: engine, progress: progress.check)
        }
        let stays = Plan(keepingAllOf: chosen.whole.shape)
        let all = Plan(keepingAllOf: dense.shape)
        return SparsityReport(
            version: Espalier.version, model: opened.location.name,
            environment: EnvironmentDescription(environment), densePerplexity: whole,
            trials: trials, best: best,
            layers: layers.map {
                SparsityReport.Layer(
                    layer: $0.layer,
                    choice: ($0.kind == .attention ? "heads, " : "") + $0.choice.description,
                    density: $0.density,
                    recall: $0.recall, kept: $0.kept, keptByOracle: $0.keptByOracle,
                    keptAtRandom: $0.keptAtRandom)
            },
            inputLayers: plan.attention.count { if case .inputs? = $0 { true } else { false } },
            removed: [
                Self.share(of: all.attention, beside: stays.attention),
                Self.share(of: all.feedForward, beside: stays.feedForward),
            ], sameWords: same?.share, comparedWords: same?.words)
    }

    /// Returns the fraction of units that are removed.
    private static func share(of all: [Int], beside kept: [Int]) -> Double {
        1 - Double(kept.reduce(0, +)) / Double(max(1, all.reduce(0, +)))
    }
}
