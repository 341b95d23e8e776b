import CKernels

extension Engine {
    /// Fused multiply-adds of 384 floats, `repeats` times on one thread: the arithmetic peak.
    ///
    /// - Returns: A value that depends on every operation, so that none can be left out.
    public func spinArithmetic(repeats: Int, seed: Float) -> Float {
        kernels.peak_f32(repeats, seed)
    }

    /// Reads an array once with all threads: the memory read bandwidth.
    ///
    /// - Returns: The sum of its elements.
    public func readAll(_ values: [Float]) -> Float {
        var sums = [Float](repeating: 0, count: pool.threads)
        values.withUnsafeBufferPointer { values in
            sums.withUnsafeMutableBufferPointer { sums in
                let (values, sums) = (values, sums)
                pool.split(values.count) { range, thread in
                    sums[thread] = kernels.read_f32(
                        values.baseAddress! + range.lowerBound, range.count)
                }
            }
        }
        return sums.reduce(0, +)
    }
}
