import CKernels

/// Copies, sums and products of rows of activations.
extension Engine {
    /// Copies rows of a table, such as token embeddings, into `y`, or adds them to it.
    public func gather(
        _ table: Matrix<Float>, rows indices: [Int32], into y: inout Activations,
        adding: Bool = false
    ) {
        precondition(indices.count == y.rows && table.columns == y.columns)
        let columns = y.columns
        withPointers(writing: &y.storage, reading: table.elements) { y, source in
            for (row, index) in indices.enumerated() {
                precondition(index >= 0 && Int(index) < table.rows, "a row is past the table")
                let (to, from) = (y + row * columns, source + Int(index) * columns)
                if adding {
                    kernels.add_f32(to, from, columns)
                } else {
                    to.update(from: from, count: columns)
                }
            }
        }
    }

    /// Copies rows of packed weights, such as a tied embedding, into `y`.
    public func gather(
        _ table: PackedWeights, rows indices: [Int32], into y: inout Activations
    ) {
        precondition(indices.count == y.rows && table.inputs == y.columns)
        withPointers(writing: &y.storage) { y in
            for (row, index) in indices.enumerated() {
                table.copyRow(Int(index), into: y + row * table.inputs)
            }
        }
    }

    /// Copies rows of a table in 8 bits into `y`, as floats.
    public func gather(
        _ table: ByteMatrix, rows indices: [Int32], into y: inout Activations
    ) {
        precondition(indices.count == y.rows && table.columns == y.columns)
        withPointers(writing: &y.storage) { y in
            for (row, index) in indices.enumerated() {
                table.copyRow(Int(index), into: y + row * table.columns)
            }
        }
    }

    /// Copies the given rows of `x` into `y`.
    public func select(
        _ x: Activations, rows: some Collection<Int>, into y: inout Activations
    ) {
        y.reshape(rows: rows.count, columns: x.columns)
        let (columns, places) = (x.columns, Array(rows))
        withPointers(writing: &y.storage, reading: x.storage) { y, x in
            splitRows(places.count) { range in
                for place in range {
                    (y + place * columns).update(from: x + places[place] * columns, count: columns)
                }
            }
        }
    }

    /// Returns a copy of the given rows.
    public func selecting(rows: some Collection<Int>, of x: Activations) -> Activations {
        var result = Activations()
        select(x, rows: rows, into: &result)
        return result
    }

    /// Returns the given columns of every row, in the given order.
    public func selecting(columns: [Int], of x: Activations) -> Activations {
        precondition(columns.allSatisfy { 0..<x.columns ~= $0 }, "every column must exist")
        var result = Activations()
        result.reshape(rows: x.rows, columns: columns.count)
        let (rows, width, count) = (x.rows, x.columns, columns.count)
        withPointers(
            writing: &result.storage, reading: x.storage, columns
        ) { result, x, columns in
            splitRows(rows) { rows in
                for row in rows {
                    let (to, from) = (result + row * count, x + row * width)
                    for place in 0..<count { to[place] = from[columns[place]] }
                }
            }
        }
        return result
    }

    /// Returns activations whose rows are the rows of all parts, one after another.
    ///
    /// - Precondition: All parts have the same number of rows.
    public func joined(_ parts: [Activations]) -> Activations {
        var result = Activations()
        let (rows, columns) = (parts.first?.rows ?? 0, parts.reduce(0) { $0 + $1.columns })
        precondition(parts.allSatisfy { $0.rows == rows }, "parts need the same number of rows")
        result.reshape(rows: rows, columns: columns)
        var first = 0
        for part in parts {
            let width = part.columns
            withPointers(writing: &result.storage, reading: part.storage) { result, part in
                splitRows(rows) { range in
                    for row in range {
                        (result + row * columns + first).update(
                            from: part + row * width, count: width)
                    }
                }
            }
            first += part.columns
        }
        return result
    }

    /// Adds `x` to `y`, which has the same shape.
    public func add(_ x: Activations, to y: inout Activations) {
        precondition(x.rows == y.rows && x.columns == y.columns, "the shapes must be the same")
        let (rows, columns) = (x.rows, x.columns)
        withPointers(writing: &y.storage, reading: x.storage) { y, x in
            splitRows(rows) { rows in
                let first = rows.lowerBound * columns
                kernels.add_f32(y + first, x + first, rows.count * columns)
            }
        }
    }

    /// Adds `x`, multiplied by a factor, to the rows of `y` that begin at `firstRow`.
    public func add(
        _ x: Activations, times factor: Float, to y: inout Activations, firstRow: Int = 0
    ) {
        precondition(
            firstRow + x.rows <= y.rows && x.columns == y.columns, "x must fit into y")
        let (rows, columns) = (x.rows, x.columns)
        withPointers(writing: &y.storage, reading: x.storage) { y, x in
            splitRows(rows) { rows in
                let (from, to) = (
                    x + rows.lowerBound * columns, y + (firstRow + rows.lowerBound) * columns
                )
                for place in 0..<rows.count * columns { to[place] += factor * from[place] }
            }
        }
    }

    /// Multiplies `x` by a factor.
    public func scale(_ x: inout Activations, by factor: Float) {
        guard factor != 1 else { return }
        let (rows, columns) = (x.rows, x.columns)
        withPointers(writing: &x.storage) { x in
            splitRows(rows) { rows in
                let to = x + rows.lowerBound * columns
                for place in 0..<rows.count * columns { to[place] *= factor }
            }
        }
    }

    /// Replaces `x` by `cap · tanh(x / cap)`.
    ///
    /// The derivatives with respect to `x` are stored in `slopes`.
    public func cap(_ x: inout Activations, at cap: Float, slopes: inout Activations) {
        slopes.reshape(rows: x.rows, columns: x.columns)
        withPointers(writing: &x.storage, &slopes.storage) { [rows = x.rows, columns = x.columns] in
            capped($0, rows: rows, columns: columns, at: cap, slopes: $1)
        }
    }

    /// Replaces `x` by `cap · tanh(x / cap)`.
    public func cap(_ x: inout Activations, at cap: Float) {
        withPointers(writing: &x.storage) { [rows = x.rows, columns = x.columns] in
            capped($0, rows: rows, columns: columns, at: cap, slopes: nil)
        }
    }

    private func capped(
        _ x: UnsafeMutablePointer<Float>, rows: Int, columns: Int, at cap: Float,
        slopes: UnsafeMutablePointer<Float>?
    ) {
        splitRows(rows) { rows in
            let first = rows.lowerBound * columns
            withUnsafePointer(to: ck_scores(window: 0, cap: cap, bias: nil)) { rule in
                kernels.score_f32(
                    x + first, rows.count * columns, 1, rule, slopes.map { $0 + first })
            }
        }
    }

    /// Multiplies each element of `x` by the element of `y` at the same place.
    public func multiply(_ x: inout Activations, by y: Activations) {
        let (rows, columns) = (x.rows, x.columns)
        withPointers(writing: &x.storage, reading: y.storage) { x, y in
            splitRows(rows) { rows in
                for place in rows.lowerBound * columns..<rows.upperBound * columns {
                    x[place] *= y[place]
                }
            }
        }
    }

    /// Copies `x` into `y` with all threads.
    public func copy(_ x: Activations, into y: inout Activations) {
        let (rows, columns) = (x.rows, x.columns)
        y.reshape(rows: rows, columns: columns)
        withPointers(writing: &y.storage, reading: x.storage) { y, x in
            splitRows(rows) { rows in
                let first = rows.lowerBound * columns
                (y + first).update(from: x + first, count: rows.count * columns)
            }
        }
    }

    /// Changes the shape of `y` and fills it with 0, with all threads.
    public func clear(_ y: inout Activations, rows: Int, columns: Int) {
        y.reshape(rows: rows, columns: columns)
        withPointers(writing: &y.storage) { y in
            splitRows(rows) { rows in
                (y + rows.lowerBound * columns).update(repeating: 0, count: rows.count * columns)
            }
        }
    }

    /// Copies a block of columns of some rows of `x` into consecutive rows of `y`.
    public func copy(
        _ x: Activations, rows: Range<Int>, columns: Range<Int>, into y: inout Matrix<Float>,
        firstRow: Int
    ) {
        precondition(columns.count == y.columns && firstRow + rows.count <= y.rows)
        let stride = x.columns
        withPointers(writing: &y.elements, reading: x.storage) { y, x in
            for (index, row) in rows.enumerated() {
                (y + (firstRow + index) * columns.count).update(
                    from: x + row * stride + columns.lowerBound, count: columns.count)
            }
        }
    }
}
