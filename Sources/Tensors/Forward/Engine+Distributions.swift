import CKernels

/// Functions of probability distributions. The logits of a distribution are one row.
extension Engine {
    /// Returns the logarithm of the sum of exponentials of every row, in f64.
    public func logSumExp(_ x: Activations) -> [Double] {
        let (rows, columns) = (x.rows, x.columns)
        var result = [Double](repeating: 0, count: rows)
        withPointers(writing: &result, reading: x.storage) { result, x in
            splitRows(rows) { rows in
                for row in rows {
                    result[row] = kernels.log_sum_exp_f32(x + row * columns, columns)
                }
            }
        }
        return result
    }

    /// Returns the column of the largest value of every row.
    ///
    /// If several columns have the largest value, the function returns the first.
    public func largestColumn(_ x: Activations) -> [Int] {
        let (rows, columns) = (x.rows, x.columns)
        return withPointers(reading: x.storage) { values in
            (0..<rows).map { row in
                var best = row * columns
                for index in best..<best + columns where values[index] > values[best] {
                    best = index
                }
                return best - row * columns
            }
        }
    }

    /// Returns the Kullback–Leibler divergence `KL(softmax(x) ‖ softmax(y))` of each row, in nats.
    public func divergence(of y: Activations, from x: Activations) -> [Double] {
        precondition(x.rows == y.rows && x.columns == y.columns)
        let (a, b, columns) = (logSumExp(x), logSumExp(y), x.columns)
        var result = [Double](repeating: 0, count: x.rows)
        withPointers(writing: &result, reading: x.storage, y.storage) { result, x, y in
            splitRows(a.count) { rows in
                for row in rows {
                    result[row] = kernels.divergence_f32(
                        x + row * columns, y + row * columns, columns, a[row], b[row])
                }
            }
        }
        return result
    }
}
