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
    /// Without a bias this is RMSNorm, `y = x · w / sqrt(mean(x²) + epsilon)`. With a bias this is
    /// LayerNorm, `y = (x - mean(x)) / sqrt(variance(x) + epsilon) · w + b`.
    public func normalise(
        _ x: Activations, rows: Range<Int>? = nil, weight: [Float], bias: [Float]? = nil,
        epsilon: Float, into y: inout Activations
    ) {
        let taken = rows ?? 0..<x.rows
        precondition(taken.upperBound <= x.rows && taken.count <= y.rows)
        precondition(x.columns == y.columns && weight.count == x.columns)
        precondition(bias == nil || bias?.count == x.columns)
        guard !taken.isEmpty else { return }
        withPointers(writing: &y.storage, reading: x.storage) { y, source in
            normalise(
                source + taken.lowerBound * x.columns, rows: taken.count, weight, bias, epsilon,
                into: y)
        }
    }

    /// Normalises rows of values; source and target may be the same.
    private func normalise(
        _ x: UnsafePointer<Float>, rows: Int, _ weight: [Float], _ bias: [Float]?,
        _ epsilon: Float, into y: UnsafeMutablePointer<Float>
    ) {
        let columns = weight.count
        withPointers(reading: weight, bias ?? []) { weight, shift in
            splitRows(rows) { rows in
                for row in rows {
                    let (from, to) = (x + row * columns, y + row * columns)
                    if bias == nil {
                        kernels.rms_norm_f32(to, from, weight, columns, epsilon)
                    } else {
                        kernels.layer_norm_f32(to, from, weight, shift, columns, epsilon)
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
        withPointers(writing: &x.storage, reading: weight) { x, weight in
            splitRows(rows) { rows in
                for row in rows {
                    for head in heads {
                        let place = x + row * columns + head * width
                        kernels.rms_norm_f32(place, place, weight, width, epsilon)
                    }
                }
            }
        }
    }

    /// Normalises all or some rows in place, like ``normalise(_:rows:weight:bias:epsilon:into:)``.
    public func normalise(
        inPlace x: inout Activations, rows: Range<Int>? = nil, weight: [Float], bias: [Float]?,
        epsilon: Float
    ) {
        let taken = rows ?? 0..<x.rows
        precondition(taken.upperBound <= x.rows && weight.count == x.columns)
        precondition(bias == nil || bias?.count == x.columns)
        guard !taken.isEmpty else { return }
        let first = taken.lowerBound * x.columns
        withPointers(writing: &x.storage) { x in
            normalise(x + first, rows: taken.count, weight, bias, epsilon, into: x + first)
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
        withPointers(
            writing: &x.storage, reading: table.cosines, table.sines
        ) { x, cosines, sines in
            splitRows(rows) { rows in
                for row in rows {
                    let position = positions[first + row]
                    precondition(position < table.positions, "position past table")
                    let place = position * half
                    for head in 0..<heads {
                        kernels.rotate_f32(
                            x + row * columns + head * dimension, 2 * half, cosines + place,
                            sines + place)
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
        withPointers(writing: &y.storage, reading: table.elements) { y, source in
            for (row, index) in indices.enumerated() {
                precondition(index >= 0 && Int(index) < table.rows, "row past table")
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
        precondition(columns.allSatisfy { 0..<x.columns ~= $0 }, "columns to select")
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
        precondition(x.rows == y.rows && x.columns == y.columns, "shapes to add")
        let (rows, columns) = (x.rows, x.columns)
        withPointers(writing: &y.storage, reading: x.storage) { y, x in
            splitRows(rows) { rows in
                let first = rows.lowerBound * columns
                kernels.add_f32(y + first, x + first, rows.count * columns)
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

    /// The logarithm of the sum of exponentials of every row, in f64.
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

    /// The column of the largest value of every row; the first if there are several.
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

    /// The Kullback–Leibler divergence `KL(softmax(x) ‖ softmax(y))` of each row, in nats.
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
