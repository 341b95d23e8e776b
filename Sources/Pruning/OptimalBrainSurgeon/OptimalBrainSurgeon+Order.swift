public import Tensors

extension OptimalBrainSurgeon {
    /// Repeatedly removes the unit with the lowest score until no unit is left.
    ///
    /// After each removal the remaining weights are corrected optimally, so the error of every
    /// level is the error of its least-squares fit.
    ///
    /// - Returns: The order and the error of every level.
    /// - Throws: ``SurgeonError`` if the damped `H` is not positive definite.
    /// - Complexity: O(columns³ + outputs · columns²)
    public func removalOrder() throws(SurgeonError) -> RemovalOrder {
        try removalOrder(block: 64, restartBelow: 64)
    }

    /// Computes the order with other block sizes, which change the speed and the rounding only.
    ///
    /// - Parameters:
    ///   - block: The number of one-column units removed before the matrices are updated.
    ///   - restartBelow: While more units than this remain, the matrices are computed again from
    ///     `H` each time seven eighths of the units are removed. This ends the build-up of rounding
    ///     errors.
    /// - Returns: The order and the error of every level.
    /// - Throws: ``SurgeonError`` if the damped `H` is not positive definite.
    func removalOrder(block: Int, restartBelow: Int) throws(SurgeonError) -> RemovalOrder {
        let (order, scores, _) = try eliminate(downTo: 0, block: block, restartBelow: restartBelow)
        return RemovalOrder(order: order, increases: scores)
    }

    /// Returns the units of one level, ascending.
    ///
    /// This is faster than computing the whole order.
    ///
    /// - Parameter level: The number of units to keep.
    /// - Returns: The units that the order keeps at this level.
    /// - Throws: ``SurgeonError`` if the damped `H` is not positive definite.
    func kept(_ level: Int) throws(SurgeonError) -> [Int] {
        try eliminate(downTo: level, block: 64, restartBelow: 64).remaining
    }

    private func eliminate(
        downTo level: Int, block: Int, restartBelow: Int
    ) throws(SurgeonError) -> (order: [Int], scores: [Double], remaining: [Int]) {
        var order: [Int] = []
        var scores: [Double] = []
        var remaining = Array(0..<units)
        while remaining.count > level {
            var elimination = try Elimination(self, units: remaining, block: block)
            let removals =
                remaining.count <= restartBelow ? remaining.count : (remaining.count * 7 + 7) / 8
            for _ in 0..<min(removals, remaining.count - level) {
                let (unit, score) = try elimination.removeCheapest()
                order.append(unit)
                scores.append(score)
            }
            remaining = elimination.left
        }
        return (order, scores, remaining)
    }

    /// Returns the optimal weights if only some units are kept: `M[:,K] · (H[K,K])⁻¹`.
    ///
    /// - Parameters:
    ///   - units: The kept units, ascending.
    ///   - moment: The mean of `target · xᵀ`, shape `[outputs, columns]`, if the outputs are fitted
    ///     to another target than the dense layer's outputs; nil for `W · H`.
    /// - Returns: The kept columns, and the bias column if there is one.
    /// - Throws: ``SurgeonError`` for unknown units or a singular `H`.
    /// - Complexity: O(kept³ + outputs · kept²)
    public func refit(
        keeping units: [Int], towards moment: Matrix<Double>? = nil
    ) throws(SurgeonError) -> Matrix<Float> {
        if let unit = units.first(where: { !(0..<self.units).contains($0) }) {
            throw .unknownUnit(unit, units: self.units)
        }
        let columns = columns(of: units)
        let factor: Cholesky
        do {
            factor = try Cholesky(SymmetricMatrix(hessian, selecting: columns), pool: pool)
        } catch {
            throw .notPositiveDefinite(row: columns[error.row])
        }
        let fit = factor.solve(
            (moment.map(damped) ?? self.moment).gathering(columns: columns), pool: pool)
        var result = Matrix(
            rows: fit.rows, columns: fit.columns, elements: fit.elements.map { Float($0) })
        let dead = Set(deadColumns)
        for (place, column) in columns.enumerated() where dead.contains(column) {
            for row in 0..<result.rows { result[row, place] = dense[row, column] }
        }
        return result
    }

    /// Returns another target's moment plus the damping term, which pulls the fit towards the dense
    /// weights.
    private func damped(_ moment: Matrix<Double>) -> Matrix<Double> {
        precondition(
            moment.rows == weight.rows && moment.columns == weight.columns,
            "the moment's shape is not the weight's")
        var result = moment
        for row in 0..<result.rows {
            for column in 0..<units * unitSize {
                result[row, column] += damping * weight[row, column]
            }
        }
        return result
    }
}
