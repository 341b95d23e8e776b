extension ThreadPool {
    /// The sum of the squares of the first `count` values.
    ///
    /// The result does not depend on the number of threads.
    public func squareSum(of values: [Float], first count: Int) -> Double {
        precondition(count <= values.count, "values to square")
        let piece = 1 << 15
        var sums = [Double](repeating: 0, count: (count + piece - 1) / piece)
        values.withUnsafeBufferPointer { values in
            sums.withUnsafeMutableBufferPointer { sums in
                let sums = sums
                forEach(sums.count) { index, _ in
                    sums[index] = laneSquareSum(
                        values[index * piece..<min((index + 1) * piece, count)])
                }
            }
        }
        return sums.reduce(0, +)
    }
}

/// The sum of squares, with independent sums for each lane, which can be added at the same time.
private func laneSquareSum(_ values: Slice<UnsafeBufferPointer<Float>>) -> Double {
    let values = UnsafeBufferPointer(rebasing: values)
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
    /// The sum of the squares of all values.
    public func squareSum(_ x: Activations) -> Double {
        pool.squareSum(of: x.storage, first: x.rows * x.columns)
    }

    /// Adds the gradient with respect to x of `factor · Σ (x - wanted)²`, where `wanted` are the
    /// target values.
    ///
    /// - Returns: `Σ (x - wanted)²`
    public func differentiateDistance(
        of x: Activations, from wanted: Activations, factor: Float,
        addingTo gradient: inout Activations
    ) -> Double {
        precondition(x.rows == wanted.rows && x.columns == wanted.columns, "compared shapes")
        precondition(x.rows == gradient.rows && x.columns == gradient.columns, "compared shapes")
        let columns = x.columns
        var difference = Activations()
        difference.reshape(rows: x.rows, columns: columns)
        x.storage.withUnsafeBufferPointer { x in
            wanted.storage.withUnsafeBufferPointer { wanted in
                gradient.storage.withUnsafeMutableBufferPointer { gradient in
                    difference.storage.withUnsafeMutableBufferPointer { difference in
                        let (gradient, difference) = (gradient, difference)
                        splitRows(difference.count / max(columns, 1)) { rows in
                            for place in rows.lowerBound * columns..<rows.upperBound * columns {
                                difference[place] = x[place] - wanted[place]
                                gradient[place] += 2 * factor * difference[place]
                            }
                        }
                    }
                }
            }
        }
        return squareSum(difference)
    }
}
