import CKernels

extension Engine {
    /// Repeats the multiply-adds of a precision in registers on one thread, to measure the peak
    /// arithmetic speed.
    ///
    /// - Parameters:
    ///   - repeats: The number of repetitions. Each has 384 multiply-adds in `f32` and `bf16x2`, 768
    ///     in 16 bits, or 1536 in 8 bits.
    ///   - precision: The precision.
    ///   - seed: Any number.
    /// - Returns: A value that depends on every operation, so that the compiler cannot remove any.
    public func spinArithmetic(repeats: Int, precision: Precision, seed: Float) -> Float {
        kernels.formats[precision].peak(repeats, seed)
    }

    /// Runs an empty job on all threads, to measure the fixed cost of an operation.
    public func barrier() { pool.run { _ in } }

    /// Reads memory once with all threads, to measure the memory bandwidth.
    ///
    /// - Returns: The sum of the values of the memory.
    public func readAll(_ probe: MemoryProbe) -> Float {
        let values = probe.memory.floats
        var sums = [Float](repeating: 0, count: pool.threads)
        withPointers(writing: &sums) { sums in
            pool.split(values.count) { range, thread in
                sums[thread] = kernels.read_f32(
                    values.baseAddress! + range.lowerBound, range.count)
            }
        }
        return sums.reduce(0, +)
    }
}

/// Memory that is allocated like weights, to measure bandwidth or to remove weights from caches.
public struct MemoryProbe: Sendable {
    let memory: Memory

    /// Allocates the memory and touches all of it.
    ///
    /// - Parameter bytes: The size. To measure memory and not caches, choose a size far above the
    ///   size of the caches.
    public init(bytes: Int) {
        memory = Memory(count: bytes / MemoryLayout<Float>.stride)
        memory.floats.initialize(repeating: 0)
    }

    /// The number of bytes that ``Engine/readAll(_:)`` reads.
    public var byteCount: Int { memory.floats.count * MemoryLayout<Float>.stride }
}
