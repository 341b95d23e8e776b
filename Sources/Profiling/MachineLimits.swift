internal import CHost
public import Tensors

/// What the machine can do at most, measured with the kernels' own instructions.
public enum MachineLimits {
    /// The memory read bandwidth of all the engine's threads, in bytes per second: the median of
    /// several passes over an array far larger than the caches.
    public static func readBandwidth(on engine: Engine) -> Double {
        let values = [Float](repeating: 1, count: 64 << 20)
        let seconds = (0..<7).map { _ in time { _ = engine.readAll(values) } }
        return Double(values.count * MemoryLayout<Float>.stride) / Statistics(seconds).median
    }

    /// The peak of f32 fused multiply-adds on one thread, in operations per second, a
    /// multiply-add being two: the upper quartile of short bursts, since a burst that was
    /// disturbed says nothing of the peak.
    public static func arithmeticPeak(on engine: Engine) -> Double {
        let repeats = 20_000
        let seconds = (0..<40).map { index in
            time { _ = engine.spinArithmetic(repeats: repeats, seed: Float(index)) }
        }
        return Double(2 * 384 * repeats) / Statistics(seconds).quantile(0.25)
    }

    /// The operations per second of a product `[m, k] · [k, n]` on the engine, as the median of
    /// many and with what spread.
    public static func productRate(m: Int, k: Int, n: Int, on engine: Engine) -> Statistics {
        let weights = PackedWeights(Matrix(randomRows: n, columns: k, seed: 1), in: Arena())
        let x = Matrix<Float>(randomRows: m, columns: k, seed: 2)
        var y = Matrix<Float>(rows: m, columns: n)
        let rates = (0..<60).map { _ in
            2 * Double(m * k * n) / time { engine.linear(x, weights, into: &y) }
        }
        return Statistics(rates.dropFirst(10))
    }

    private static func time(_ body: () -> Void) -> Double {
        let start = host_monotonic_nanoseconds()
        body()
        return Double(host_monotonic_nanoseconds() - start) * 1e-9
    }
}
