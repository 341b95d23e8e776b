import ModelFiles
import Profiling
import Transformers

/// A small grouped-query decoder.
let smallShape = ModelShape(
    architecture: .llama, vocabularySize: 512, hiddenSize: 64, headDimension: 16,
    maximumPositions: 128, normEpsilon: 1e-5, ropeTheta: 10_000, tiedHead: true,
    layers: [LayerShape](
        repeating: LayerShape(queryHeads: 4, keyValueHeads: 2, feedForward: 96), count: 3))

let smallMachine = Machine(
    brand: "AMD EPYC", microarchitecture: "zen5", architecture: "x86_64",
    features: ["avx2", "avx512f"], cores: 2, level1CacheBytes: 49152, level2CacheBytes: 1 << 20,
    level3CacheBytes: 1 << 25, memoryBytes: 1 << 33, operatingSystem: "Linux")

func timing(_ seconds: Double) -> Timing {
    Timing(seconds: seconds, low: seconds * 0.9, high: seconds * 1.1, samples: 9)
}

/// Returns a curve without uncertainty.
func curve(_ seconds: KeyValuePairs<Int, Double>) -> LatencyCurve {
    LatencyCurve(
        entries: seconds.map { level, seconds in
            let certain = Timing(seconds: seconds, low: seconds, high: seconds, samples: 9)
            return LatencyCurve.Entry(level: level, timing: certain)
        })
}

/// Returns a table of a dense model that takes 17 s.
///
/// The base takes 2 s, each of three attention blocks 2 s, and each of three feed-forward blocks 3
/// s.
func smallTable(
    shape: ModelShape = smallShape, dense: Timing = timing(17), base: Timing = timing(2),
    curves: [ComponentKind: LatencyCurve] = [
        .attention: curve([2: 2, 1: 1.5]), .feedForward: curve([96: 3, 64: 2.5, 32: 1]),
    ]
) -> LatencyTable {
    LatencyTable(
        shape: shape, machine: smallMachine,
        environment: InferenceEnvironment(
            phase: .decode, batch: 1, sequence: 128, threads: 2, precision: .f32,
            machine: smallMachine.slug),
        dense: dense, base: base, curves: curves, created: "2025-01-01T00:00:00Z",
        espalierVersion: "0.1.0")
}
