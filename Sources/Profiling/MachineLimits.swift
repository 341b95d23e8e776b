internal import CHost
public import Tensors

/// The limits of the machine, measured with the instructions of the kernels.
public enum MachineLimits {
    /// The bytes of memory that ``readBandwidth(on:)`` reads.
    public static let probeBytes = 256 << 20

    /// The memory read bandwidth of all the engine's threads, in bytes per second.
    ///
    /// It is the median of several passes over memory that is far larger than the caches.
    public static func readBandwidth(on engine: Engine) -> Double {
        let probe = MemoryProbe(bytes: probeBytes)
        let seconds = (0..<9).map { _ in
            let start = host_monotonic_nanoseconds()
            _ = engine.readAll(probe)
            return Double(host_monotonic_nanoseconds() - start) * 1e-9
        }
        return Double(probe.byteCount) / Statistics(seconds).median
    }
}
