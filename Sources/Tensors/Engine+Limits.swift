import CKernels

extension Engine {
    /// The multiply-adds that a precision's products are made of, in registers on one thread:
    /// the arithmetic peak.
    ///
    /// - Parameters:
    ///   - repeats: How often to do 384 of them for `f32`, twice as many for 16 bits, four times as
    ///     many for 8.
    ///   - precision: The precision.
    ///   - seed: Any number.
    /// - Returns: A value that depends on every operation, so that none can be left out.
    public func spinArithmetic(repeats: Int, precision: Precision, seed: Float) -> Float {
        kernels.formats[precision].peak(repeats, seed)
    }

    /// Has all threads begin and finish a piece of work of nothing: what every operation costs them.
    public func meet() { pool.run { _ in } }

    /// Reads memory once with all threads: the memory read bandwidth.
    ///
    /// - Returns: The sum of its values.
    public func readAll(_ probe: MemoryProbe) -> Float {
        let values = probe.memory.floats
        var sums = [Float](repeating: 0, count: pool.threads)
        sums.withUnsafeMutableBufferPointer { sums in
            let sums = sums
            pool.split(values.count) { range, thread in
                sums[thread] = kernels.read_f32(
                    values.baseAddress! + range.lowerBound, range.count)
            }
        }
        return sums.reduce(0, +)
    }
}

/// Memory allocated as weights are, to measure how fast it is read or to take their place in caches.
public struct MemoryProbe: Sendable {
    let memory: Memory

    /// Allocates the memory and touches all of it.
    ///
    /// - Parameter bytes: How much; for memory itself far more than caches hold.
    public init(bytes: Int) {
        memory = Memory(count: bytes / MemoryLayout<Float>.stride)
        memory.floats.initialize(repeating: 0)
    }

    /// The bytes that one reading reads.
    public var byteCount: Int { memory.floats.count * MemoryLayout<Float>.stride }
}
