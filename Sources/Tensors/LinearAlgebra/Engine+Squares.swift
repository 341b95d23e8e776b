extension ThreadPool {
    /// Returns the sum of the squares of the first `count` values.
    ///
    /// The result does not depend on the number of threads.
    public func squareSum(of values: [Float], first count: Int) -> Double {
        precondition(count <= values.count, "there are fewer than `count` values")
        let piece = 1 << 15
        let pieces = (count + piece - 1) / piece
        var sums = [Double](repeating: 0, count: pieces)
        withPointers(writing: &sums, reading: values) { sums, values in
            forEach(pieces) { index, _ in
                let first = index * piece
                sums[index] = laneSquareSum(
                    UnsafeBufferPointer(start: values + first, count: min(piece, count - first)))
            }
        }
        return sums.reduce(0, +)
    }
}

/// Returns the sum of squares.
///
/// 16 independent sums are computed at the same time.
private func laneSquareSum(_ values: UnsafeBufferPointer<Float>) -> Double {
    var lanes = SIMD16<Double>(repeating: 0)
    let whole = values.count / 16 * 16
    for first in stride(from: 0, to: whole, by: 16) {
        let piece = UnsafeRawPointer(values.baseAddress! + first)
            .loadUnaligned(as: SIMD16<Float>.self)
        let wide = SIMD16<Double>(piece)
        lanes += wide * wide
    }
    return values[whole...].reduce(lanes.sum()) { $0 + Double($1) * Double($1) }
}

extension Engine {
    /// Returns the sum of the squares of all values.
    public func squareSum(_ x: Activations) -> Double {
        pool.squareSum(of: x.storage, first: x.rows * x.columns)
    }
}
