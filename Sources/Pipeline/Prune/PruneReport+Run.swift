internal import Foundation
internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Reporting
internal import Tensors
internal import Transformers

extension PruneReport {
    /// Collects the results of a run.
    init(
        options: PruneOptions, dense: OpenedModel, environment: InferenceEnvironment,
        table: LatencyTable, targets: [TargetResult], denseQuality: QualityFigures,
        baselines: [BaselineResult], text: CalibrationText, facts: CalibrationFacts,
        stages: [String: StageCost],
        inputs: PruneInputs
    ) {
        let shape = dense.shape
        let heldOut = text.heldOut.reduce(0) { $0 + $1.count }
        let sampled = options.calibration.isEmpty
        let source =
            sampled
            ? "text that the model generated"
            : options.calibration.map { URL(fileURLWithPath: $0).lastPathComponent }
                .joined(separator: ", ")
        var model = ModelDescription(
            name: dense.location.name, path: dense.location.path,
            architecture: shape.architecture.name, parameters: shape.parameters,
            generatesText: !shape.architecture.isEncoder,
            layers: shape.layers.map { LayerSizes($0) })
        let modes = dense.checkpoint.pooling.modes
        if modes != Pooling.mean.modes { model.pooling = modes.map(\.rawValue) }
        self.init(
            version: Espalier.version, createdAt: Date().ISO8601Format(),
            command: options.command
                ?? CommandLine.arguments.map(\.shellQuoted).joined(separator: " "),
            model: model, environment: EnvironmentDescription(environment),
            method: options.method.rawValue,
            seed: options.seed, targets: targets, dense: denseQuality,
            evaluatedOn: "held-out part of \(source), \(heldOut) tokens", baselines: baselines,
            latencyCurves: ComponentKind.allCases.compactMap { kind in
                table.curves[kind].map { ComponentLatency(kind, $0) }
            },
            baseSeconds: table.minimumSeconds, denseSeconds: table.dense.seconds,
            verification: table.verification.map {
                VerificationFigures(
                    plans: $0.entries.count, medianError: $0.medianError,
                    worstError: $0.worstError)
            }, stages: stages,
            inputs: inputs.files.map { InputDigest(name: $0.name, digest: $0.digest) },
            calibration: CalibrationDescription(
                source: source, tokens: facts.tokens, sampledByModel: sampled))
        let profiled = table.environment.machine
        profiledMachine = profiled == environment.machine ? nil : profiled
    }

    /// Puts the times on one scale, adds sizes on disk and earlier task scores, and writes the
    /// report.
    ///
    /// Task scores are added only if they were measured on the same models.
    mutating func finalize(in directory: RunDirectory, source: ModelLocation) throws {
        normaliseTimes()
        model.bytes = DiskUse.bytes(ofModel: source.path)
        for index in targets.indices {
            targets[index].bytes = DiskUse.bytes(of: targets[index].path)
        }
        let earlier = try? PruneReport(inDirectory: directory.path)
        if earlier?.targets == targets { tasks = earlier?.tasks }
        try write(toDirectory: directory.path)
    }
}

extension StageCost {
    static func + (one: StageCost, other: StageCost) -> StageCost {
        StageCost(
            seconds: one.seconds + other.seconds, peakBytes: max(one.peakBytes, other.peakBytes))
    }
}

extension TargetResult {
    /// Collects the results of one target.
    init(
        target: Double, attempt: ClosedLoop.Attempt, attempts: Int, path: String,
        weights: ShrunkWeights, quality: QualityFigures
    ) {
        let comparison = attempt.comparison
        self.init(
            target: target, predicted: attempt.predicted, measured: comparison.speedup,
            interval: [comparison.interval.lowerBound, comparison.interval.upperBound],
            path: path, parameters: weights.shape.parameters, quality: quality,
            layers: weights.shape.layers.enumerated().map { index, layer in
                var sizes = LayerSizes(
                    layer, keptGroups: weights.kept[Component(layer: index, kind: .attention)])
                func format(_ kind: ComponentKind) -> String? {
                    attempt.plan[Component(layer: index, kind: kind)].format?.rawValue
                }
                (sizes.attentionFormat, sizes.feedForwardFormat) = (
                    format(.attention), format(.feedForward)
                )
                return sizes
            },
            denseSeconds: comparison.dense.seconds, seconds: comparison.model.seconds,
            attempts: attempts, isDisturbed: comparison.isDisturbed)
        hiddenSize = attempt.plan.hiddenSize
        headFormat = attempt.plan.headFormat?.rawValue
    }
}

extension LayerSizes {
    init(_ layer: LayerShape, keptGroups: [Int]? = nil) {
        self.init(
            queryHeads: layer.queryHeads, keyValueHeads: layer.keyValueHeads,
            feedForward: layer.feedForward, keptGroups: keptGroups)
    }
}

extension EnvironmentDescription {
    init(_ environment: InferenceEnvironment) {
        self.init(
            phase: environment.phase.rawValue, batch: environment.batch,
            sequence: environment.sequence, threads: environment.threads,
            precision: environment.precision.rawValue, runtime: environment.runtime,
            instructionSet: environment.instructionSet, machine: environment.machine)
    }
}

extension ComponentLatency {
    init(_ kind: ComponentKind, _ curve: LatencyCurve) {
        let dominated = Set(curve.dominatedLevels)
        self.init(
            kind: kind.rawValue,
            points: curve.entries.map {
                Point(
                    level: $0.level, seconds: $0.seconds, low: $0.low, high: $0.high,
                    dominated: dominated.contains($0.level))
            })
    }
}

extension Plan {
    /// The plan that corresponds to the layers of a result.
    init(_ result: TargetResult) {
        self.init(
            attention: result.layers.map(\.keyValueHeads),
            feedForward: result.layers.map(\.feedForward), hiddenSize: result.hiddenSize)
        for (index, layer) in result.layers.enumerated() {
            func set(_ kind: ComponentKind, _ format: String?) {
                self[Component(layer: index, kind: kind)].format =
                    format.flatMap(Precision.init(rawValue:))
            }
            set(.attention, layer.attentionFormat)
            set(.feedForward, layer.feedForwardFormat)
        }
        headFormat = result.headFormat.flatMap(Precision.init(rawValue:))
    }
}

extension String {
    /// The string, quoted for a shell.
    fileprivate var shellQuoted: String {
        let plain = allSatisfy { $0.isLetter || $0.isNumber || "-_./=,:+@".contains($0) }
        return plain && !isEmpty
            ? self : "'" + replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}
