import CKernels

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Gradients of losses.
extension Engine {
    /// Replaces logits by the gradient of cross entropy.
    ///
    /// - Parameters:
    ///   - logits: Shape `[rows, classes]`; becomes `factor · (softmax(logits) - target)`.
    ///   - targets: The correct class of each row. The loss and the gradient of a row with a
    ///     negative class are 0.
    ///   - factor: The gradient is multiplied by this factor.
    /// - Returns: `Σ -log softmax(logits)[target]` over the rows whose class is not negative.
    public func differentiateCrossEntropy(
        _ logits: inout Activations, targets: [Int32], factor: Float
    ) -> Double {
        precondition(targets.count == logits.rows, "every row needs a target")
        let columns = logits.columns
        let normalisers = logSumExp(logits)
        var losses = [Double](repeating: 0, count: targets.count)
        withPointers(writing: &logits.storage, &losses) { logits, losses in
            splitRows(targets.count) { rows in
                for row in rows {
                    let place = logits + row * columns
                    let target = Int(targets[row])
                    guard target >= 0 else {
                        place.update(repeating: 0, count: columns)
                        continue
                    }
                    precondition(target < columns, "a target must be below the number of classes")
                    losses[row] = normalisers[row] - Double(place[target])
                    kernels.softmax_f32(place, columns, 1)
                    place[target] -= 1
                    for column in 0..<columns { place[column] *= factor }
                }
            }
        }
        return losses.reduce(0, +)
    }

    /// Replaces logits by the gradient of a weighted binary cross-entropy.
    ///
    /// The cross-entropy is summed over columns and averaged over rows.
    ///
    /// - Parameters:
    ///   - logits: Shape `[tokens, neurons]`; becomes the gradient.
    ///   - values: The same shape. An element belongs to the positive class if the magnitude of its
    ///     value is above the threshold of its column.
    ///   - thresholds: The threshold of each column.
    ///   - negativeWeight: The weight of elements of the negative class. Elements of the positive
    ///     class have weight 1.
    /// - Returns: The cross-entropy.
    public func differentiateBinaryCrossEntropy(
        _ logits: inout Activations, of values: Activations, above thresholds: [Float],
        negativeWeight: Float
    ) -> Double {
        let (rows, columns) = (logits.rows, logits.columns)
        precondition(
            values.rows == rows && values.columns == columns,
            "logits and values must have the same shape")
        precondition(thresholds.count == columns, "every column needs a threshold")
        precondition(rows > 0, "a cross-entropy needs at least one row")
        var losses = [Double](repeating: 0, count: rows)
        withPointers(
            writing: &logits.storage, &losses, reading: values.storage, thresholds
        ) { logits, losses, values, thresholds in
            splitRows(rows) { range in
                for row in range {
                    var loss: Float = 0
                    for column in 0..<columns {
                        let place = row * columns + column
                        let logit = logits[place]
                        let isFound = abs(values[place]) > thresholds[column]
                        let weight = isFound ? 1 : negativeWeight
                        let rest = exp(-abs(logit))
                        loss += weight * (log1p(rest) + max(isFound ? -logit : logit, 0))
                        let share = (logit >= 0 ? 1 : rest) / (1 + rest)
                        logits[place] = weight * (share - (isFound ? 1 : 0)) / Float(rows)
                    }
                    losses[row] = Double(loss)
                }
            }
        }
        return losses.reduce(0, +) / Double(rows)
    }

    /// Adds the gradient with respect to x of `factor · Σ (x - target)²`.
    ///
    /// - Returns: `Σ (x - target)²`
    public func differentiateDistance(
        of x: Activations, from target: Activations, factor: Float,
        addingTo gradient: inout Activations
    ) -> Double {
        precondition(
            x.rows == target.rows && x.columns == target.columns,
            "the target must have the shape of x")
        precondition(
            x.rows == gradient.rows && x.columns == gradient.columns,
            "the gradient must have the shape of x")
        let (rows, columns) = (x.rows, x.columns)
        var difference = Activations()
        difference.reshape(rows: rows, columns: columns)
        withPointers(
            writing: &gradient.storage, &difference.storage, reading: x.storage, target.storage
        ) { gradient, difference, x, target in
            splitRows(rows) { rows in
                for place in rows.lowerBound * columns..<rows.upperBound * columns {
                    difference[place] = x[place] - target[place]
                    gradient[place] += 2 * factor * difference[place]
                }
            }
        }
        return squareSum(difference)
    }
}
