public import Tensors

/// One linear layer whose inputs come from prunable units, with the second moments of its inputs.
///
/// A unit is a run of `unitSize` consecutive input columns. `H` is damped once, in the initialiser.
/// All errors and corrected weights use this damped `H`: `error(Ŵ) = tr((W - Ŵ) · H · (W - Ŵ)ᵀ)`.
///
/// The error of removing an input that was always zero is 0: its weights count as zero. If its unit
/// is kept, these weights stay unchanged. A trailing bias column is neither damped nor removed.
public struct OptimalBrainSurgeon: Sendable {
    /// The number of input columns of one unit.
    public let unitSize: Int

    /// The number of units.
    public let units: Int

    /// The mean squared norm of the dense layer's output, `tr(W · H · Wᵀ)`.
    public let norm: Double

    /// The weight as given, `[outputs, columns]`.
    let dense: Matrix<Float>

    /// The weight with the columns of dead inputs cleared.
    let weight: Matrix<Double>

    /// The damped `H`.
    let hessian: Matrix<Double>

    /// `W · H`, the target moment of least squares.
    let moment: Matrix<Double>

    /// The value added to the diagonal of `H`.
    let damping: Double

    /// The columns of inputs that were always zero.
    let deadColumns: [Int]

    /// The threads that compute matrix products.
    let pool: ThreadPool

    /// Prepares a layer for pruning.
    ///
    /// - Parameters:
    ///   - weight: Shape `[outputs, columns]`; with `hasBias`, the bias is the last column.
    ///   - hessian: The mean of `x · xᵀ`, shape `[columns, columns]`; with `hasBias`, the last
    ///     input is the constant 1.
    ///   - unitSize: The number of columns of one unit: all columns of the unit's heads, or 1 for a
    ///     neuron.
    ///   - hasBias: Whether the last column is the bias, which is never removed.
    ///   - damping: The fraction of the mean diagonal that is added to the diagonal.
    ///   - pool: The threads to use.
    /// - Throws: ``SurgeonError`` if shapes differ or values are not finite.
    /// - Complexity: O(outputs · columns²)
    public init(
        weight: Matrix<Float>, hessian: consuming Matrix<Double>, unitSize: Int,
        hasBias: Bool = false, damping: Double = 0.01, pool: ThreadPool
    ) throws(SurgeonError) {
        let columns = weight.columns
        let inputs = columns - (hasBias ? 1 : 0)
        guard hessian.rows == columns, hessian.columns == columns else {
            throw .hessianShape(
                rows: hessian.rows, columns: hessian.columns, weightColumns: columns)
        }
        guard unitSize > 0, inputs >= 0, inputs.isMultiple(of: unitSize) else {
            throw .unitSize(unitSize, columns: inputs)
        }
        if let place = weight.elements.firstIndex(where: { !$0.isFinite }) {
            throw .weightNotFinite(row: place / columns, column: place % columns)
        }
        var live = Matrix(
            rows: weight.rows, columns: columns, elements: weight.elements.map(Double.init))
        self.damping = try OptimalBrainSurgeon.damp(&hessian, inputs: inputs, by: damping)
        deadColumns = (0..<inputs).filter { hessian[$0, $0] == 0 }
        for column in deadColumns {
            hessian[column, column] = 1
            for row in 0..<live.rows { live[row, column] = 0 }
        }
        moment = live.multiplied(by: hessian, pool: pool)
        norm = zip(live.elements, moment.elements).reduce(0) { $0 + $1.0 * $1.1 }
        dense = weight
        self.weight = live
        self.hessian = hessian
        self.unitSize = unitSize
        self.pool = pool
        units = inputs / unitSize
    }

    /// Adds a fraction of the mean diagonal to the diagonal elements that are not zero.
    static func damp(
        _ hessian: inout Matrix<Double>, inputs: Int, by fraction: Double
    ) throws(SurgeonError) -> Double {
        var sum = 0.0
        for column in 0..<hessian.columns {
            let value = hessian[column, column]
            guard value >= 0, value.isFinite else {
                throw .hessianDiagonal(column: column, value: value)
            }
            if column < inputs { sum += value }
        }
        let added = inputs == 0 ? 0 : fraction * sum / Double(inputs)
        for column in 0..<inputs where hessian[column, column] > 0 {
            hessian[column, column] += added
        }
        return added
    }

    /// The columns of some units, in the order of the units, and the bias column if there is one.
    func columns(of units: [Int]) -> [Int] {
        units.flatMap { $0 * unitSize..<($0 + 1) * unitSize }
            + Array(self.units * unitSize..<weight.columns)
    }
}
