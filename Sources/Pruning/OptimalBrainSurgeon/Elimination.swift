import Tensors

/// `H⁻¹` and `P = WᵀW` of the remaining units, updated after each removal.
///
/// With `L·Lᵀ = H⁻¹[S,S]` for the columns `S` of a unit, `Y = L⁻¹·H⁻¹[S,:]` and
/// `Z = L⁻¹·P[S,:] - ½·(L⁻¹·P[S,S]·L⁻ᵀ)·Y`, the removal of the unit and the correction of the
/// weights are `H⁻¹ -= Yᵀ·Y` and `P -= Yᵀ·Z + Zᵀ·Y`; its score is the trace of `L⁻¹·P[S,S]·L⁻ᵀ`.
/// The weights themselves are not needed.
///
/// Removals of one-column units are pending until a block of them is full. Then both matrices are
/// updated. Until then, only their diagonals are exact, and a row is corrected when it is read. The
/// matrices are compacted when an eighth of their units is removed.
struct Elimination {
    /// The number of columns of one unit.
    private let unitSize: Int
    /// The index of each unit in the surgeon's layer.
    private var names: [Int]
    /// `H⁻¹`, without the pending removals.
    private var inverse: SymmetricMatrix
    /// `P`, without the pending removals.
    private var gram: SymmetricMatrix
    /// The rows `Y` of the pending removals.
    private var y: Matrix<Double>
    /// The rows `Z` of the pending removals.
    private var z: Matrix<Double>
    /// The number of pending rows of `y` and `z`.
    private var pending = 0
    /// The exact diagonal of `H⁻¹`, for units of one column.
    private var inverseDiagonal: [Double]
    /// The exact diagonal of `P`, for units of one column.
    private var gramDiagonal: [Double]
    /// The indices in `names` of the units not yet removed, ascending.
    private var remaining: [Int]
    private let pool: ThreadPool

    /// The indices in the surgeon's layer of the units not yet removed, ascending.
    var left: [Int] { remaining.map { names[$0] } }

    /// Computes both matrices for some units of a layer.
    ///
    /// - Parameters:
    ///   - surgeon: The layer.
    ///   - units: The units still present, ascending.
    ///   - block: The number of one-column units whose removals form a block.
    /// - Throws: ``SurgeonError`` if the damped `H` of these units is not positive definite.
    /// - Complexity: O(n³ + outputs · n²) for n remaining columns.
    init(_ surgeon: OptimalBrainSurgeon, units: [Int], block: Int) throws(SurgeonError) {
        let columns = surgeon.columns(of: units)
        unitSize = surgeon.unitSize
        pool = surgeon.pool
        names = units
        remaining = Array(units.indices)
        inverse = SymmetricMatrix(surgeon.hessian, selecting: columns)
        do { try inverse.invert(pool: pool) } catch {
            throw .notPositiveDefinite(row: columns[error.row])
        }
        if units.count == surgeon.units {
            gram = SymmetricMatrix(gramOf: surgeon.weight, pool: pool)
        } else {
            let weight = inverse.multipliedFromLeft(
                by: surgeon.moment.gathering(columns: columns), pool: pool)
            gram = SymmetricMatrix(gramOf: weight, pool: pool)
        }
        let rows = unitSize == 1 ? block : unitSize
        y = Matrix(rows: rows, columns: columns.count)
        z = y
        inverseDiagonal = unitSize == 1 ? inverse.diagonal : []
        gramDiagonal = unitSize == 1 ? gram.diagonal : []
    }

    /// Removes the remaining unit with the lowest score; of equal scores, the first unit.
    ///
    /// - Returns: The index of the unit in the surgeon's layer, and its score.
    /// - Throws: ``SurgeonError`` if a block of `H⁻¹` is singular.
    mutating func removeCheapest() throws(SurgeonError) -> (unit: Int, score: Double) {
        var best = (unit: remaining[0], score: Double.infinity)
        for unit in remaining {
            let score = try score(of: unit)
            if score < best.score { best = (unit, score) }
        }
        let name = names[best.unit]
        try remove(best.unit)
        return (name, best.score)
    }

    /// The error that removing one more unit adds: `tr((H⁻¹[S,S])⁻¹ · P[S,S])`.
    ///
    /// - Throws: ``SurgeonError`` if the unit's block of `H⁻¹` is singular.
    private func score(of unit: Int) throws(SurgeonError) -> Double {
        guard unitSize > 1 else { return max(0, gramDiagonal[unit] / inverseDiagonal[unit]) }
        let solved = try factor(unit).solve(gram.block(columns(of: unit)).full, pool: pool)
        return max(0, (0..<unitSize).reduce(0) { $0 + solved[$1, $1] })
    }

    /// Removes a unit.
    ///
    /// - Throws: ``SurgeonError`` if the unit's block of `H⁻¹` is singular.
    private mutating func remove(_ unit: Int) throws(SurgeonError) {
        if unitSize == 1 {
            removeColumn(unit)
        } else {
            try removeColumns(of: unit)
        }
        remaining.removeAll { $0 == unit }
        guard pending == y.rows else { return }
        flush()
        if remaining.count * 8 <= names.count * 7 { compact() }
    }

    private func columns(of unit: Int) -> Range<Int> {
        unit * unitSize..<(unit + 1) * unitSize
    }

    private func factor(_ unit: Int) throws(SurgeonError) -> Cholesky {
        do { return try Cholesky(inverse.block(columns(of: unit)), pool: pool) } catch {
            throw .notPositiveDefinite(row: unit * unitSize + error.row)
        }
    }

    /// Drops removed units from all matrices and lists.
    private mutating func compact() {
        let kept =
            remaining.flatMap { columns(of: $0) } + Array(names.count * unitSize..<y.columns)
        inverse = inverse.selecting(kept)
        gram = gram.selecting(kept)
        y = Matrix(rows: y.rows, columns: kept.count)
        z = y
        if unitSize == 1 {
            inverseDiagonal = kept.map { inverseDiagonal[$0] }
            gramDiagonal = kept.map { gramDiagonal[$0] }
        }
        names = left
        remaining = Array(names.indices)
    }

    /// Applies the pending removals to both matrices.
    private mutating func flush() {
        inverse.subtractGram(of: y, rows: pending, pool: pool)
        gram.subtractProducts(of: y, and: z, rows: pending, pool: pool)
        pending = 0
    }
}

extension Elimination {
    /// Adds the rows `Y` and `Z` of one column to the pending rows, and updates the diagonals.
    private mutating func removeColumn(_ column: Int) {
        let row = pending
        let factor = 1 / inverseDiagonal[column].squareRoot()
        let score = gramDiagonal[column] * factor * factor
        let yColumn = (0..<row).map { -y[$0, column] }
        let zColumn = (0..<row).map { -z[$0, column] }
        inverse.copyRow(column, to: &y, row: row)
        gram.copyRow(column, to: &z, row: row)
        y.add(yColumn, timesRowsFrom: 0, toRow: row)
        z.add(zColumn, timesRowsOf: y, from: 0, toRow: row)
        z.add(yColumn, timesRowsFrom: 0, toRow: row)
        y.scale(row: row, by: factor)
        z.scale(row: row, by: factor)
        z.add([-score / 2], timesRowsOf: y, from: row, toRow: row)
        pending += 1

        let start = row * y.columns
        for index in 0..<y.columns {
            let (y, z) = (y.elements[start + index], z.elements[start + index])
            inverseDiagonal[index] -= y * y
            gramDiagonal[index] -= 2 * y * z
        }
    }

    /// Computes the rows `Y` and `Z` of a unit with more than one column.
    private mutating func removeColumns(of unit: Int) throws(SurgeonError) {
        let lower = try factor(unit)
        let columns = columns(of: unit)
        for row in 0..<unitSize {
            inverse.copyRow(columns.lowerBound + row, to: &y, row: row)
            gram.copyRow(columns.lowerBound + row, to: &z, row: row)
            let coefficients = (0..<row).map { -lower[row, $0] }
            y.add(coefficients, timesRowsFrom: 0, toRow: row)
            z.add(coefficients, timesRowsFrom: 0, toRow: row)
            y.scale(row: row, by: 1 / lower[row, row])
            z.scale(row: row, by: 1 / lower[row, row])
        }
        for row in 0..<unitSize {
            var middle = [Double](repeating: 0, count: unitSize)
            for column in 0..<unitSize {
                var value = z[row, columns.lowerBound + column]
                for inner in 0..<column { value -= middle[inner] * lower[column, inner] }
                middle[column] = value / lower[column, column]
            }
            z.add(middle.map { -$0 / 2 }, timesRowsOf: y, from: 0, toRow: row)
        }
        pending = unitSize
    }
}
