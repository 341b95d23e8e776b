import CKernels

/// Linear combinations of rows.
extension Matrix where Element == Double {
    /// Adds a linear combination of another matrix's rows to one row.
    ///
    /// `self[row, :] += Σᵢ coefficients[i] · other[first + i, :]`.
    ///
    /// - Precondition: Both matrices have the same number of columns, and
    ///   `first + coefficients.count <= other.rows`.
    public mutating func add(
        _ coefficients: [Double], timesRowsOf other: Matrix, from first: Int, toRow row: Int
    ) {
        precondition(other.columns == columns, "the matrices need the same number of columns")
        precondition(row < rows, "the row must exist")
        precondition(first + coefficients.count <= other.rows, "there are too many coefficients")
        let columns = columns
        withPointers(writing: &elements, reading: other.elements) { target, source in
            DoubleProducts.kernels.pointee.combine(
                target + row * columns, columns, coefficients, source + first * columns, columns,
                coefficients.count)
        }
    }

    /// Adds a linear combination of rows of this matrix to a later row.
    ///
    /// `self[row, :] += Σᵢ coefficients[i] · self[first + i, :]`.
    ///
    /// - Precondition: `first + coefficients.count <= row < rows`.
    public mutating func add(_ coefficients: [Double], timesRowsFrom first: Int, toRow row: Int) {
        precondition(first + coefficients.count <= row, "the added rows must come before the row")
        precondition(row < rows, "the row must exist")
        let columns = columns
        withPointers(writing: &elements) { elements in
            DoubleProducts.kernels.pointee.combine(
                elements + row * columns, columns, coefficients, elements + first * columns,
                columns, coefficients.count)
        }
    }

    /// Adds linear combinations of all rows before some rows to these rows.
    ///
    /// `self[rows, :] += coefficients[rows, ..<rows.lowerBound] · self[..<rows.lowerBound, :]`.
    ///
    /// - Precondition: `coefficients` has a row for each row, and at least `rows.lowerBound` columns.
    public mutating func add(
        _ coefficients: Matrix, timesRowsBefore rows: Range<Int>, pool: ThreadPool
    ) {
        precondition(rows.upperBound <= min(self.rows, coefficients.rows), "rows past the end")
        precondition(rows.lowerBound <= coefficients.columns, "too few coefficients")
        let (columns, first, width) = (columns, rows.lowerBound, coefficients.columns)
        withPointers(writing: &elements, reading: coefficients.elements) { elements, factors in
            DoubleProducts.accumulate(
                rows: rows.count, columns: columns, depth: first, alpha: 1,
                a: ck_f64_operand(factors + first * width, stride: width),
                b: ck_f64_operand(elements, stride: columns),
                into: elements + first * columns, stride: columns, pool: pool)
        }
    }

    /// Multiplies one row by a number.
    public mutating func scale(row: Int, by factor: Double) {
        for index in row * columns..<(row + 1) * columns { elements[index] *= factor }
    }

    /// The columns at the given indices, in that order.
    ///
    /// The result is the result of `selecting(columns:)`. This function is faster on large f64
    /// matrices.
    public func gathering(columns indices: [Int]) -> Matrix {
        let (rows, columns) = (rows, columns)
        let gathered = [Double](unsafeUninitializedCapacity: rows * indices.count) { out, count in
            withPointers(reading: elements) { source in
                for row in 0..<rows {
                    for (place, column) in indices.enumerated() {
                        out.initializeElement(
                            at: row * indices.count + place, to: source[row * columns + column])
                    }
                }
            }
            count = rows * indices.count
        }
        return Matrix(rows: rows, columns: indices.count, elements: gathered)
    }
}
