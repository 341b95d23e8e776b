import CKernels
import Foundation

/// Cosines and sines of rotary position embeddings.
///
/// Position `p` rotates the pair `(x[i], x[i + d/2])` of the first `d` channels of a head by the
/// angle `p · frequencies[i]`.
///
/// Source: Su et al., "RoFormer", arXiv 2104.09864, in the half-split order of Hugging Face.
public struct RotaryTable: Sendable {
    /// The number of positions in the table.
    public let positions: Int
    /// Half of the number of rotated channels.
    let half: Int
    let cosines: [Float]
    let sines: [Float]

    /// Computes the table for positions `0..<positions`.
    ///
    /// The number of rotated channels of a head is twice the number of frequencies.
    public init(frequencies: [Double], positions: Int) {
        self.positions = positions
        half = frequencies.count
        let angles = (0..<positions).flatMap { position in
            frequencies.map { Double(position) * $0 }
        }
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
    }

    private init(_ table: RotaryTable, sines: [Float]) {
        (positions, half, cosines) = (table.positions, table.half, table.cosines)
        self.sines = sines
    }

    /// The table of the inverse rotations.
    public var reversed: RotaryTable { RotaryTable(self, sines: sines.map { -$0 }) }
}

extension Engine {
    /// Normalises all or some rows of x, and stores them in the first rows of y.
    ///
    /// If it is centred this is LayerNorm, `y = (x - mean(x)) / sqrt(variance(x) + epsilon) · w +
    /// b`. Otherwise this is RMSNorm without a bias, `y = x · w / sqrt(mean(x²) + epsilon)`.
    public func normalise(
        _ x: Activations, rows: Range<Int>? = nil, weight: [Float], bias: [Float]? = nil,
        isCentred: Bool, epsilon: Float, into y: inout Activations
    ) {
        let taken = rows ?? 0..<x.rows
        precondition(taken.upperBound <= x.rows && taken.count <= y.rows)
        precondition(x.columns == y.columns && weight.count == x.columns)
        precondition(bias == nil || bias?.count == x.columns)
        guard !taken.isEmpty else { return }
        x.storage.withUnsafeBufferPointer { source in
            y.storage.withUnsafeMutableBufferPointer { target in
                normalise(
                    source.baseAddress! + taken.lowerBound * x.columns, rows: taken.count,
                    weight, bias, isCentred, epsilon, into: target.baseAddress!)
            }
        }
    }

    /// Normalises rows of values; source and target may be the same.
    private func normalise(
        _ x: UnsafePointer<Float>, rows: Int, _ weight: [Float], _ bias: [Float]?,
        _ isCentred: Bool, _ epsilon: Float, into y: UnsafeMutablePointer<Float>
    ) {
        precondition(isCentred || bias == nil, "an RMSNorm has no bias")
        let columns = weight.count
        let shift = bias ?? [Float](repeating: 0, count: isCentred ? columns : 0)
        weight.withUnsafeBufferPointer { weight in
            shift.withUnsafeBufferPointer { shift in
                splitRows(rows) { rows in
                    for row in rows {
                        let (from, to) = (x + row * columns, y + row * columns)
                        if isCentred {
                            kernels.layer_norm_f32(
                                to, from, weight.baseAddress!, shift.baseAddress!, columns,
                                epsilon)
                        } else {
                            kernels.rms_norm_f32(
                                to, from, weight.baseAddress!, columns, epsilon)
                        }
                    }
                }
            }
        }
    }

    /// Normalises some heads of every row in place, each head with its own root mean square.
    ///
    /// - Parameters:
    ///   - x: Rows of heads. The width of a head is the number of weights.
    ///   - heads: The heads that are normalised.
    ///   - weight: One factor per channel of a head.
    ///   - epsilon: Added to the mean square.
    public func rmsNorm(
        _ x: inout Activations, heads: Range<Int>, weight: [Float], epsilon: Float
    ) {
        let (rows, columns, width) = (x.rows, x.columns, weight.count)
        precondition(heads.upperBound * width <= columns, "heads to normalise")
        x.storage.withUnsafeMutableBufferPointer { target in
            let c = target.baseAddress
            weight.withUnsafeBufferPointer { weight in
                splitRows(rows) { rows in
                    for row in rows {
                        for head in heads {
                            let place = c! + row * columns + head * width
                            kernels.rms_norm_f32(
                                place, place, weight.baseAddress!, width, epsilon)
                        }
                    }
                }
            }
        }
    }

    /// Normalises all or some rows in place, like
    /// ``normalise(_:rows:weight:bias:isCentred:epsilon:into:)``.
    public func normalise(
        inPlace x: inout Activations, rows: Range<Int>? = nil, weight: [Float], bias: [Float]?,
        isCentred: Bool, epsilon: Float
    ) {
        let taken = rows ?? 0..<x.rows
        precondition(taken.upperBound <= x.rows && weight.count == x.columns)
        precondition(bias == nil || bias?.count == x.columns)
        guard !taken.isEmpty else { return }
        let first = taken.lowerBound * x.columns
        x.storage.withUnsafeMutableBufferPointer { target in
            let place = target.baseAddress! + first
            normalise(place, rows: taken.count, weight, bias, isCentred, epsilon, into: place)
        }
    }

    /// Rotates the first `heads` heads of every row by the angles of the row's position.
    ///
    /// The channels of a head after the rotated channels of the table do not change.
    public func rotate(
        _ x: inout Activations, heads: Int, dimension: Int, positions: ArraySlice<Int>,
        table: RotaryTable
    ) {
        precondition(positions.count == x.rows && table.half * 2 <= dimension)
        let (rows, columns, half) = (x.rows, x.columns, table.half)
        let first = positions.startIndex
        x.storage.withUnsafeMutableBufferPointer { target in
            let c = target.baseAddress
            table.cosines.withUnsafeBufferPointer { cosines in
                table.sines.withUnsafeBufferPointer { sines in
                    splitRows(rows) { rows in
                        for row in rows {
                            let position = positions[first + row]
                            precondition(position < table.positions, "position past table")
                            let place = position * half
                            for head in 0..<heads {
                                kernels.rotate_f32(
                                    c! + row * columns + head * dimension, 2 * half,
                                    cosines.baseAddress! + place, sines.baseAddress! + place)
                            }
                        }
                    }
                }
            }
        }
    }

    /// Copies rows of a table, such as token embeddings, into `y`, or adds them to it.
    public func gather(
        _ table: Matrix<Float>, rows indices: [Int32], into y: inout Activations,
        adding: Bool = false
    ) {
        precondition(indices.count == y.rows && table.columns == y.columns)
        let columns = y.columns
        table.elements.withUnsafeBufferPointer { source in
            y.storage.withUnsafeMutableBufferPointer { target in
                for (row, index) in indices.enumerated() {
                    precondition(index >= 0 && Int(index) < table.rows, "row past table")
                    let from = source.baseAddress! + Int(index) * columns
                    let to = target.baseAddress! + row * columns
                    if adding {
                        kernels.add_f32(to, from, columns)
                    } else {
                        to.update(from: from, count: columns)
                    }
                }
            }
        }
    }

    /// Copies rows of packed weights, such as a tied embedding, into `y`.
    public func gather(
        _ table: PackedWeights, rows indices: [Int32], into y: inout Activations
    ) {
        precondition(indices.count == y.rows && table.inputs == y.columns)
        y.storage.withUnsafeMutableBufferPointer { target in
            for (row, index) in indices.enumerated() {
                table.copyRow(Int(index), into: target.baseAddress! + row * table.inputs)
            }
        }
    }

    /// Copies the given rows of `x` into `y`.
    public func select(
        _ x: Activations, rows: some Collection<Int>, into y: inout Activations
    ) {
        y.reshape(rows: rows.count, columns: x.columns)
        let (columns, places) = (x.columns, Array(rows))
        x.storage.withUnsafeBufferPointer { source in
            y.storage.withUnsafeMutableBufferPointer { target in
                let target = target
                splitRows(places.count) { range in
                    for place in range {
                        (target.baseAddress! + place * columns).update(
                            from: source.baseAddress! + places[place] * columns, count: columns)
                    }
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
        precondition(columns.allSatisfy { 0..<x.columns ~= $0 }, "columns to select")
        var result = Activations()
        result.reshape(rows: x.rows, columns: columns.count)
        let width = x.columns
        x.storage.withUnsafeBufferPointer { source in
            result.storage.withUnsafeMutableBufferPointer { target in
                let target = target
                columns.withUnsafeBufferPointer { columns in
                    splitRows(x.rows) { rows in
                        for row in rows {
                            let from = source.baseAddress! + row * width
                            let to = target.baseAddress! + row * columns.count
                            for place in columns.indices { to[place] = from[columns[place]] }
                        }
                    }
                }
            }
        }
        return result
    }

    /// Joins the columns of activations.
    ///
    /// - Precondition: All parts have the same number of rows.
    public func joined(_ parts: [Activations]) -> Activations {
        var result = Activations()
        let (rows, columns) = (parts.first?.rows ?? 0, parts.reduce(0) { $0 + $1.columns })
        precondition(parts.allSatisfy { $0.rows == rows }, "joined rows")
        result.reshape(rows: rows, columns: columns)
        var first = 0
        for part in parts {
            part.storage.withUnsafeBufferPointer { source in
                result.storage.withUnsafeMutableBufferPointer { target in
                    let (target, width) = (target, part.columns)
                    splitRows(rows) { range in
                        for row in range {
                            (target.baseAddress! + row * columns + first).update(
                                from: source.baseAddress! + row * width, count: width)
                        }
                    }
                }
            }
            first += part.columns
        }
        return result
    }

    /// Adds `x` to `y`, which has the same shape.
    public func add(_ x: Activations, to y: inout Activations) {
        precondition(x.rows == y.rows && x.columns == y.columns, "shapes to add")
        let columns = x.columns
        x.storage.withUnsafeBufferPointer { source in
            y.storage.withUnsafeMutableBufferPointer { target in
                let target = target
                splitRows(x.rows) { rows in
                    let first = rows.lowerBound * columns
                    kernels.add_f32(
                        target.baseAddress! + first, source.baseAddress! + first,
                        rows.count * columns)
                }
            }
        }
    }

    /// Adds `x`, multiplied by a factor, to rows of `y` from `firstRow` on.
    public func add(
        _ x: Activations, times factor: Float, to y: inout Activations, firstRow: Int = 0
    ) {
        precondition(
            firstRow + x.rows <= y.rows && x.columns == y.columns, "shapes to add")
        let columns = x.columns
        x.storage.withUnsafeBufferPointer { source in
            y.storage.withUnsafeMutableBufferPointer { target in
                let target = target
                splitRows(x.rows) { rows in
                    let first = rows.lowerBound * columns
                    let from = source.baseAddress! + first
                    let to = target.baseAddress! + firstRow * columns + first
                    for place in 0..<rows.count * columns { to[place] += factor * from[place] }
                }
            }
        }
    }

    /// Multiplies `x` by a factor.
    public func scale(_ x: inout Activations, by factor: Float) {
        guard factor != 1 else { return }
        let columns = x.columns
        x.storage.withUnsafeMutableBufferPointer { target in
            let target = target
            splitRows(x.rows) { rows in
                let to = target.baseAddress! + rows.lowerBound * columns
                for place in 0..<rows.count * columns { to[place] *= factor }
            }
        }
    }

    /// Copies `x` into `y` with all threads.
    public func copy(_ x: Activations, into y: inout Activations) {
        let columns = x.columns
        y.reshape(rows: x.rows, columns: columns)
        x.storage.withUnsafeBufferPointer { source in
            y.storage.withUnsafeMutableBufferPointer { target in
                let target = target
                splitRows(x.rows) { rows in
                    let first = rows.lowerBound * columns
                    (target.baseAddress! + first).update(
                        from: source.baseAddress! + first, count: rows.count * columns)
                }
            }
        }
    }

    /// Changes the shape of `y` and fills it with 0, with all threads.
    public func clear(_ y: inout Activations, rows: Int, columns: Int) {
        y.reshape(rows: rows, columns: columns)
        y.storage.withUnsafeMutableBufferPointer { target in
            let target = target
            splitRows(rows) { rows in
                (target.baseAddress! + rows.lowerBound * columns).update(
                    repeating: 0, count: rows.count * columns)
            }
        }
    }

    /// Copies a block of columns of some rows of `x` into consecutive rows of `y`.
    public func copy(
        _ x: Activations, rows: Range<Int>, columns: Range<Int>, into y: inout Matrix<Float>,
        firstRow: Int
    ) {
        precondition(columns.count == y.columns && firstRow + rows.count <= y.rows)
        x.storage.withUnsafeBufferPointer { source in
            y.elements.withUnsafeMutableBufferPointer { target in
                for (index, row) in rows.enumerated() {
                    (target.baseAddress! + (firstRow + index) * columns.count).update(
                        from: source.baseAddress! + row * x.columns + columns.lowerBound,
                        count: columns.count)
                }
            }
        }
    }

    /// The logarithm of the sum of exponentials of every row, in f64.
    public func logSumExp(_ x: Activations) -> [Double] {
        var result = [Double](repeating: 0, count: x.rows)
        let columns = x.columns
        x.storage.withUnsafeBufferPointer { source in
            result.withUnsafeMutableBufferPointer { result in
                let (source, result) = (source, result)
                splitRows(x.rows) { rows in
                    for row in rows {
                        result[row] = kernels.log_sum_exp_f32(
                            source.baseAddress! + row * columns, columns)
                    }
                }
            }
        }
        return result
    }

    /// The column of the largest value of every row; the first if there are several.
    public func largestColumn(_ x: Activations) -> [Int] {
        let columns = x.columns
        return x.storage.withUnsafeBufferPointer { values in
            (0..<x.rows).map { row in
                var best = row * columns
                for index in best..<best + columns where values[index] > values[best] {
                    best = index
                }
                return best - row * columns
            }
        }
    }

    /// The Kullback–Leibler divergence `KL(softmax(x) ‖ softmax(y))` of each row, in nats.
    public func divergence(of y: Activations, from x: Activations) -> [Double] {
        precondition(x.rows == y.rows && x.columns == y.columns)
        let (a, b, columns) = (logSumExp(x), logSumExp(y), x.columns)
        var result = [Double](repeating: 0, count: x.rows)
        x.storage.withUnsafeBufferPointer { x in
            y.storage.withUnsafeBufferPointer { y in
                result.withUnsafeMutableBufferPointer { result in
                    let (x, y, result) = (x, y, result)
                    splitRows(a.count) { rows in
                        for row in rows {
                            result[row] = kernels.divergence_f32(
                                x.baseAddress! + row * columns, y.baseAddress! + row * columns,
                                columns, a[row], b[row])
                        }
                    }
                }
            }
        }
        return result
    }
}
