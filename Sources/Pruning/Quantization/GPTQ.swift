import Synchronization
public import Tensors

/// Rounds the weights of a linear layer to a grid, and corrects the error of every column with the
/// columns that are rounded after it (Frantar et al., "GPTQ", arXiv 2210.17323).
///
/// With the damped second moments `H` of the layer's inputs and the errors `E = W − Ŵ`, the mean
/// squared error of the outputs is `tr(E · H · Eᵀ)`. With `H = M · D · Mᵀ`, where `M` is unit upper
/// triangular and `D` is diagonal, it is
///
///     Σₖ D[k] ‖E[:,k] + Σ_{j<k} E[:,j] M[j,k]‖²
///
/// One column after another is rounded, so that each term is as small as the grid permits:
///
///     Ŵ[:,k]  =  round(W[:,k] + Σ_{j<k} E[:,j] M[j,k])
///
/// This gives the weights of GPTQ (Chee et al., "QuIP", arXiv 2307.13304, theorem 6). GPTQ instead
/// spreads errors with the rows of the Cholesky factor of `H⁻¹`, which are those of `M⁻¹`.
///
/// The scale of a group of columns is chosen when its first column is rounded: the scale with the
/// least error `Σₖ D[k] (w[k] − ŵ[k])²` of the weights `w` that would correct all errors so far best.
/// If a row has one scale, `w` are the weights as they are.
///
/// Columns with large inputs are rounded first, because more columns are left to correct them:
/// groups in the order of their mean `H[k,k]`, and the columns of a group in the order of `H[k,k]`.
public struct GPTQ: Sendable {
    /// The grid of the rounded weights.
    public let grid: WeightGrid

    /// The columns in the order in which they are rounded; columns of one group are consecutive.
    let order: [Int]

    /// `Mᵀ` in this order; only the elements below the diagonal are used.
    private let feedback: Matrix<Double>

    /// `D` in this order.
    private let importance: [Double]

    private let pool: ThreadPool

    /// The number of columns that are rounded between two matrix products, unless groups have
    /// another.
    private static let block = 32

    /// The number of rows that are rounded together.
    private static let piece = 64

    /// The threads of the products of one piece, because the pieces are divided among threads.
    private static let alone = ThreadPool(threads: 1)

    /// Factors the second moments of a layer's inputs.
    ///
    /// An input that was always zero is independent of all others: its weights are rounded to the
    /// nearest value.
    ///
    /// - Parameters:
    ///   - hessian: The mean of `x · xᵀ`, shape `[inputs, inputs]`.
    ///   - grid: The grid of the rounded weights.
    ///   - damping: The fraction of the mean diagonal that is added to the diagonal.
    ///   - pool: The threads to use. The result does not depend on their number.
    /// - Throws: ``SurgeonError`` if the moments are not finite.
    /// - Complexity: O(inputs³)
    public init(
        hessian: consuming Matrix<Double>, grid: WeightGrid, damping: Double = 0.01,
        pool: ThreadPool
    ) throws(SurgeonError) {
        let size = hessian.columns
        guard hessian.rows == size else {
            throw .hessianShape(rows: hessian.rows, columns: size, weightColumns: size)
        }
        _ = try OptimalBrainSurgeon.damp(&hessian, inputs: size, by: damping)
        for column in 0..<size where hessian[column, column] == 0 { hessian[column, column] = 1 }
        order = Self.order(of: (0..<size).map { [hessian] in hessian[$0, $0] }, group: grid.group)
        // The factor of the matrix with its columns reversed is M with its columns reversed.
        let reversed = Matrix(
            rows: size, columns: size,
            elements: order.reversed().flatMap { [hessian, order] row in
                order.reversed().map { hessian[row, $0] }
            })
        let lower: Cholesky
        do { lower = try Cholesky(SymmetricMatrix(reversed), pool: pool) } catch {
            throw .notPositiveDefinite(row: order[size - 1 - error.row])
        }
        var (feedback, importance) = (Matrix<Double>(rows: size, columns: size), [Double]())
        for row in 0..<size {
            let pivot = lower[size - 1 - row, size - 1 - row]
            let inverse = 1 / pivot
            importance.append(pivot * pivot)
            for column in 0..<row {
                feedback[row, column] = lower[size - 1 - column, size - 1 - row] * inverse
            }
        }
        self.feedback = feedback
        self.importance = importance
        self.grid = grid
        self.pool = pool
    }

    /// The columns, groups and then columns with a large diagonal first.
    private static func order(of diagonal: [Double], group: Int?) -> [Int] {
        let size = group ?? max(diagonal.count, 1)
        let groups = stride(from: 0, to: diagonal.count, by: size).map { first in
            (first..<min(first + size, diagonal.count)).sorted {
                (-diagonal[$0], $0) < (-diagonal[$1], $1)
            }
        }
        let means = groups.map { group in
            group.reduce(0) { $0 + diagonal[$1] } / Double(group.count)
        }
        return groups.indices.sorted { (-means[$0], $0) < (-means[$1], $1) }
            .flatMap { groups[$0] }
    }

    /// Rounds a weight.
    ///
    /// - Parameter weight: Shape `[outputs, inputs]`, of finite values.
    /// - Returns: The codes and scales.
    /// - Precondition: The weight has a column for each input.
    /// - Complexity: O(outputs · inputs²)
    public func rounded(_ weight: Matrix<Float>) -> CodedMatrix {
        precondition(weight.columns == order.count, "a column for each input")
        let pieces = (weight.rows + Self.piece - 1) / Self.piece
        guard pieces > 0 else { return CodedMatrix(rows: 0, columns: order.count, grid: grid) }
        let results = Mutex([CodedMatrix?](repeating: nil, count: pieces))
        pool.forEach(pieces) { index, _ in
            let rows = index * Self.piece..<min((index + 1) * Self.piece, weight.rows)
            let piece = roundedTogether(weight.selecting(rows: Array(rows)))
            results.withLock { $0[index] = piece }
        }
        return CodedMatrix(stacking: results.withLock { $0 }.compactMap(\.self))
    }

    /// Rounds some rows on one thread.
    private func roundedTogether(_ weight: Matrix<Float>) -> CodedMatrix {
        let (rows, columns) = (weight.rows, weight.columns)
        var coded = CodedMatrix(rows: rows, columns: columns, grid: grid)
        // Row k is for column `order[k]`: first the numbers to round, later the errors.
        var x = Matrix<Double>(rows: columns, columns: rows)
        for (place, column) in order.enumerated() {
            for row in 0..<rows { x[place, row] = Double(weight[row, column]) }
        }
        let original = x
        if grid.group == nil {
            // In the order of rounding, like D.
            coded.scales = grid.scales(of: x.transposed, weights: importance)
        }
        let step = grid.group ?? Self.block
        for start in stride(from: 0, to: columns, by: step) {
            let block = start..<min(start + step, columns)
            x.add(feedback, timesRowsBefore: block, pool: Self.alone)
            var scales = coded.scales
            if grid.group != nil {
                scales = grid.scales(
                    of: corrected(x, original, block), weights: Array(importance[block]))
                let group = order[start] / step
                for row in 0..<rows { coded.scales[row * coded.groups + group] = scales[row] }
            }
            for place in block {
                x.add(coefficients(of: place, from: start), timesRowsFrom: start, toRow: place)
                for row in 0..<rows {
                    let code = grid.code(of: x[place, row], scale: scales[row])
                    coded.codes[row * columns + order[place]] = code
                    x[place, row] =
                        original[place, row] - Double(grid.value(of: code, scale: scales[row]))
                }
            }
        }
        return coded
    }

    /// The weights of a block that correct the errors of all columns before it best, one row for
    /// each output.
    ///
    /// With the corrections `s = x − original` of the block, they are `original + s · M⁻¹`.
    private func corrected(
        _ x: Matrix<Double>, _ original: Matrix<Double>, _ block: Range<Int>
    ) -> Matrix<Double> {
        var y = Matrix<Double>(rows: block.count, columns: x.columns)
        for place in block {
            let row = place - block.lowerBound
            for output in 0..<x.columns {
                y[row, output] = x[place, output] - original[place, output]
            }
            y.add(
                coefficients(of: place, from: block.lowerBound).map { -$0 }, timesRowsFrom: 0,
                toRow: row)
        }
        for place in block {
            for output in 0..<x.columns {
                y[place - block.lowerBound, output] += original[place, output]
            }
        }
        return y.transposed
    }

    /// The coefficients of the errors of the columns from one to the column before `place`.
    private func coefficients(of place: Int, from first: Int) -> [Double] {
        Array(feedback.row(place).prefix(place).dropFirst(first))
    }
}
