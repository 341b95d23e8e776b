import Foundation

@testable import Reporting

enum Samples {
    /// A report of a decoder of 30 layers, with a family of three models and with baselines.
    static var decoder: PruneReport {
        let dense = (0..<30).map { _ in
            LayerSizes(queryHeads: 9, keyValueHeads: 3, feedForward: 1536)
        }
        func layers(_ strength: Int) -> [LayerSizes] {
            (0..<30).map { index in
                let groups = (0..<3).filter { ($0 + index * strength) % 7 >= strength }
                return LayerSizes(
                    queryHeads: 3 * groups.count, keyValueHeads: groups.count,
                    feedForward: max(0, 1536 - 32 * ((index * 5 * strength) % 17 * strength)),
                    keptGroups: groups)
            }
        }
        func result(
            _ target: Double, _ measured: Double, _ perplexity: Double, _ strength: Int
        ) -> TargetResult {
            var result = TargetResult(
                target: target, predicted: measured + 0.013, measured: measured,
                interval: [measured - 0.012, measured + 0.014], path: "out/\(target)x",
                parameters: 134_515_008 - strength * 13_123_456,
                quality: QualityFigures(
                    perplexity: perplexity, kl: perplexity / 200, top1: 16 / perplexity),
                layers: layers(strength), denseSeconds: 0.0123456, seconds: 0.0123456 / measured,
                attempts: strength)
            result.trials = (0..<strength).map {
                .init(predicted: target + 0.017 * Double($0), measured: measured - 0.01)
            }
            result.continuations = ["a town of \(target) walls", "he said, and went"]
            return result
        }
        let targets = [
            result(1.25, 1.263, 23.514, 1), result(1.5, 1.507, 28.77, 2),
            result(2, 2.021, 44.123, 3),
        ]
        let baselines = ["magnitude", "depth", "random"].enumerated().flatMap { index, method in
            targets.map { target in
                BaselineResult(
                    method: method, target: target.target, measured: target.measured + 0.004,
                    quality: QualityFigures(
                        perplexity: (target.perplexity ?? 0)
                            * pow(1.6 + Double(index), target.target),
                        kl: (target.kl ?? 0) * 3, top1: (target.top1 ?? 0) / 2))
            }
        }
        var report = PruneReport(
            version: "0.1.0", createdAt: "2026-03-01T12:34:56Z",
            command: "espalier prune models/SmolLM2-135M-Instruct.Q4_1.gguf --speedup 1.25 "
                + "--speedup 1.5 --speedup 2 --calibration wiki.utf8 -o out",
            model: ModelDescription(
                name: "SmolLM2-135M-Instruct", path: "models/SmolLM2-135M-Instruct.Q4_1.gguf",
                architecture: "llama", parameters: 134_515_008, generatesText: true, layers: dense),
            environment: EnvironmentDescription(
                phase: "decode", batch: 1, sequence: 512, threads: 2, precision: "f32",
                runtime: "espalier", machine: "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"),
            method: "greedy", seed: 7, targets: targets,
            dense: QualityFigures(perplexity: 21.003, kl: 0, top1: 1),
            evaluatedOn: "WikiText-2 test, 4,096 tokens", baselines: baselines,
            latencyCurves: [
                curve("attention", levels: [0, 1, 2, 3]),
                curve("feedForward", levels: (0...34).map { $0 == 34 ? 1536 : $0 * 45 }),
            ],
            baseSeconds: 0.00312, denseSeconds: 0.0124,
            stages: [
                "profile": StageCost(seconds: 64.2, peakBytes: 812_000_000),
                "calibrate": StageCost(seconds: 131.9, peakBytes: 1_931_000_000),
                "search": StageCost(seconds: 22.4, peakBytes: 1_940_000_000),
                "measure": StageCost(seconds: 48.1, peakBytes: 1_950_000_000),
            ],
            inputs: [
                InputDigest(
                    name: "SmolLM2-135M-Instruct.Q4_1.gguf",
                    digest: "sha256:" + String(repeating: "0123456789abcdef", count: 4)),
                InputDigest(
                    name: "wiki.utf8",
                    digest: "sha256:" + String(repeating: "fedcba9876543210", count: 4)),
            ],
            calibration: CalibrationDescription(
                source: "wiki.utf8", tokens: 131_072, sampledByModel: false),
            notes: ["3 of 240 samples were tainted by other work on the machine."])
        report.samples = [
            TextSample(prompt: "The city was", dense: "a small one"),
            TextSample(prompt: "“I know”,", dense: "she said"),
        ]
        report.search = (0..<40).map {
            SearchStep(speedup: 1 + 0.1 * Double($0), loss: 1e-3 * Double($0 * $0))
        }
        return report
    }

    /// A report of an encoder with one target and no baselines.
    static var encoder: PruneReport {
        var report = decoder
        report.model = ModelDescription(
            name: "all-MiniLM-L6-v2", path: "models/minilm", architecture: "bert",
            parameters: 22_713_216, generatesText: false,
            layers: (0..<6).map { _ in
                LayerSizes(queryHeads: 12, keyValueHeads: 12, feedForward: 1536)
            })
        report.environment.phase = "encode"
        report.environment.sequence = 128
        report.targets = [
            TargetResult(
                target: 2, predicted: 2.05, measured: 2.013, interval: [1.991, 2.034],
                path: "out/2x", parameters: 16_321_000,
                quality: QualityFigures(meanCosineDistance: 0.0631),
                layers: (0..<6).map {
                    LayerSizes(
                        queryHeads: 12 - 2 * $0, keyValueHeads: 12 - 2 * $0,
                        feedForward: 1536 - 300 * $0)
                }, denseSeconds: 0.00871, seconds: 0.00433, attempts: 2)
        ]
        report.dense = QualityFigures(meanCosineDistance: 0)
        report.baselines = []
        report.latencyCurves = [
            curve("attention", levels: Array(0...12)),
            curve("feedForward", levels: (0...16).map { $0 * 96 }),
        ]
        report.calibration.sampledByModel = true
        return report
    }

    /// A report whose texts have special characters of HTML, Markdown, shells and Python.
    static var hostile: PruneReport {
        let text = "<script>alert('x')</script> \"q\" & `a` ``` | \\ \u{0}\u{1B}\u{FFFE}\n# é🌳 ]]>"
        var report = decoder
        report.version = text
        report.createdAt = text
        report.command = text
        report.model.name = text
        report.model.path = text
        report.model.architecture = text
        report.environment = EnvironmentDescription(
            phase: text, batch: -1, sequence: .max, threads: 0, precision: text, runtime: text,
            machine: text)
        report.method = text
        report.evaluatedOn = text
        report.stages = [text: StageCost(seconds: 1e30, peakBytes: .max)]
        report.inputs = [InputDigest(name: text, digest: text)]
        report.calibration.source = text
        report.notes = [text, text]
        report.latencyCurves[0].kind = text
        for index in report.targets.indices {
            report.targets[index].path = text
            report.targets[index].continuations = [text]
        }
        report.samples = [TextSample(prompt: text, dense: text)]
        for index in report.baselines.indices { report.baselines[index].method = text }
        return report
    }

    /// Reports with extreme values.
    static var extremes: [(name: String, report: PruneReport)] {
        var none = decoder
        none.targets = []
        none.baselines = []
        none.latencyCurves = []
        none.stages = [:]
        none.inputs = []
        none.notes = []
        none.dense = QualityFigures()
        var gone = encoder
        gone.model.layers = Array(gone.model.layers.prefix(1))
        gone.targets[0].layers = [LayerSizes(queryHeads: 0, keyValueHeads: 0, feedForward: 0)]
        gone.targets[0].interval = []
        gone.latencyCurves = [
            ComponentLatency(kind: "attention", points: []), curve("x", levels: [0]),
        ]
        var huge = decoder
        huge.targets[0].perplexity = 1e300
        huge.targets[1].measured = 0
        huge.targets[2].measured = 1e300
        huge.targets[2].seconds = 1e-300
        huge.targets[0].layers = []
        huge.baseSeconds = 0
        huge.model.layers = []
        return [("none", none), ("gone", gone), ("huge", huge)]
    }

    /// Returns a curve in steps of three levels.
    ///
    /// In each step, all levels but the last are dominated.
    static func curve(_ kind: String, levels: [Int]) -> ComponentLatency {
        ComponentLatency(
            kind: kind,
            points: levels.enumerated().map { index, level in
                let step = level == 0 ? 0 : index + 2 - (index + 2) % 3
                let seconds = Double(step) * 7.1e-6 + (level == 0 ? 0 : 2.2e-5)
                return ComponentLatency.Point(
                    level: level, seconds: seconds, low: seconds * 0.96, high: seconds * 1.05,
                    dominated: index % 3 != 0 && index < levels.count - 1)
            })
    }
}
