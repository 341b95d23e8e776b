import Tensors

/// Orders that do not need the inverse of `H`. Their errors are the errors of removing units
/// without correction.
extension OptimalBrainSurgeon {
    /// Removes the units with the smallest weight norm first.
    ///
    /// - Complexity: O(outputs · columns²) for the errors.
    public func magnitudeOrder() -> RemovalOrder {
        var squares = [Double](repeating: 0, count: units)
        for row in 0..<dense.rows {
            for column in 0..<units * unitSize {
                let value = Double(dense[row, column])
                squares[column / unitSize] += value * value
            }
        }
        return masking(ascending: squares)
    }

    /// Removes the units with the smallest `Σ_j H_jj`, the mean square of their inputs, first.
    ///
    /// Source: Muralidharan et al., "Minitron", arXiv 2407.14679, section 2.2.
    ///
    /// - Complexity: O(outputs · columns²) for the errors.
    public func activationOrder() -> RemovalOrder {
        // Inputs that are always 0 have a 1 in the Hessian, which makes it invertible.
        let dead = Set(deadColumns)
        let scores = (0..<units).map { unit in
            (unit * unitSize..<(unit + 1) * unitSize).reduce(0) {
                dead.contains($1) ? $0 : $0 + hessian[$1, $1]
            }
        }
        return masking(ascending: scores)
    }

    /// Removes the units with the smallest `Σ_j ‖W_j‖² H_jj` first.
    ///
    /// If H is the covariance of the inputs, this is the variance of the units' outputs. Source: An
    /// et al., "FLAP", arXiv 2312.11983.
    ///
    /// - Complexity: O(outputs · columns²) for the errors.
    public func fluctuationOrder() -> RemovalOrder {
        var scores = [Double](repeating: 0, count: units)
        for row in 0..<weight.rows {
            for column in 0..<units * unitSize {
                let value = weight[row, column]
                scores[column / unitSize] += value * value * hessian[column, column]
            }
        }
        return masking(ascending: scores)
    }

    /// Removes units in a random order that depends only on the seed.
    ///
    /// - Complexity: O(outputs · columns²) for the errors.
    public func randomOrder(seed: UInt64) -> RemovalOrder {
        var generator = SplitMix64(seed: seed)
        return masking((0..<units).shuffled(using: &generator))
    }

    /// Removes the units with the lowest score first; of equal scores, the lower index first.
    private func masking(ascending scores: [Double]) -> RemovalOrder {
        masking((0..<units).sorted { (scores[$0], $0) < (scores[$1], $1) })
    }

    /// The errors `tr(W[:,S] · H[S,S] · W[:,S]ᵀ)` of removing the columns `S` in a given order.
    private func masking(_ order: [Int]) -> RemovalOrder {
        let gram = SymmetricMatrix(gramOf: weight, pool: pool)
        var line = Matrix<Double>(rows: 1, columns: weight.columns)
        var removed = [Double](repeating: 0, count: weight.columns)
        var increases: [Double] = []
        for unit in order {
            var increase = 0.0
            for column in unit * unitSize..<(unit + 1) * unitSize {
                gram.copyRow(column, to: &line, row: 0)
                var sum = 0.0
                for (index, mask) in removed.enumerated() {
                    sum += hessian[column, index] * line[0, index] * mask
                }
                increase += 2 * sum + hessian[column, column] * line[0, column]
                removed[column] = 1
            }
            increases.append(increase)
        }
        return RemovalOrder(order: order, increases: increases)
    }
}
