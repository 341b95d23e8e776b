import Tensors

@testable import Pruning

/// A seeded layer with inputs.
///
/// Errors are computed from the definition by Gaussian elimination.
struct ReferenceLayer {
    var weight: Matrix<Float>
    /// The mean of `x · xᵀ`.
    var hessian: Matrix<Double>
    var unitSize: Int
    var hasBias = false
    var damping = 0.01

    /// Creates a layer.
    ///
    /// Its inputs are random walks along the columns, so that columns correlate.
    init(
        outputs: Int, units: Int, unitSize: Int, samples: Int, bias: Bool = false,
        correlation: Double = 0.8, seed: UInt64
    ) {
        var random = SplitMix64(seed: seed)
        let columns = units * unitSize + (bias ? 1 : 0)
        weight = Matrix(
            rows: outputs, columns: columns,
            elements: (0..<outputs * columns).map { _ in Float.random(in: -1...1, using: &random) })
        hessian = Matrix(rows: columns, columns: columns)
        self.unitSize = unitSize
        hasBias = bias
        for _ in 0..<samples {
            var (x, last) = ([Double](), 0.3)
            for column in 0..<columns {
                last = correlation * last + Double.random(in: -1...1, using: &random)
                x.append(last * Double(1 + column % 5))
            }
            if bias { x[columns - 1] = 1 }
            for row in 0..<columns {
                for column in 0..<columns {
                    hessian[row, column] += x[row] * x[column] / Double(samples)
                }
            }
        }
    }

    func surgeon(threads: Int = 1) throws -> OptimalBrainSurgeon {
        try OptimalBrainSurgeon(
            weight: weight, hessian: hessian, unitSize: unitSize, hasBias: hasBias,
            damping: damping, pool: ThreadPool(threads: threads))
    }

    var units: Int { weight.columns / unitSize }

    /// The damped `H`.
    var damped: Matrix<Double> {
        let inputs = weight.columns - (hasBias ? 1 : 0)
        let mean = (0..<inputs).reduce(0) { $0 + hessian[$1, $1] } / Double(inputs)
        var result = hessian
        for column in 0..<inputs { result[column, column] += damping * mean }
        return result
    }

    /// Returns the columns of units and of the bias.
    func columns(_ units: [Int]) -> [Int] {
        units.flatMap { Array($0 * unitSize..<($0 + 1) * unitSize) }
            + (hasBias ? [weight.columns - 1] : [])
    }

    /// Returns the least-squares weights of some units, with 0 in all other columns.
    func fit(_ units: [Int]) -> Matrix<Double> {
        let (kept, h) = (columns(units), damped)
        var result = Matrix<Double>(rows: weight.rows, columns: weight.columns)
        let system = h.selecting(rows: kept).selecting(columns: kept)
        for row in 0..<weight.rows {
            let right = kept.map { column in
                (0..<weight.columns).reduce(0) { $0 + Double(weight[row, $1]) * h[$1, column] }
            }
            for (value, column) in zip(eliminate(system, right), kept) {
                result[row, column] = value
            }
        }
        return result
    }

    /// Returns the error `tr((W - Ŵ) · H · (W - Ŵ)ᵀ)`.
    func error(_ fitted: Matrix<Double>) -> Double {
        let h = damped
        var sum = 0.0
        for row in 0..<weight.rows {
            let difference = (0..<weight.columns).map { Double(weight[row, $0]) - fitted[row, $0] }
            for i in difference.indices {
                for j in difference.indices { sum += difference[i] * h[i, j] * difference[j] }
            }
        }
        return sum
    }

    /// Solves a linear system by Gaussian elimination with partial pivoting.
    private func eliminate(_ system: Matrix<Double>, _ right: [Double]) -> [Double] {
        let size = right.count
        var rows = (0..<size).map { Array(system.row($0)) + [right[$0]] }
        for pivot in 0..<size {
            let best = (pivot..<size).max { abs(rows[$0][pivot]) < abs(rows[$1][pivot]) } ?? pivot
            rows.swapAt(pivot, best)
            let source = rows[pivot]
            for row in pivot + 1..<max(size, pivot + 1) {
                let factor = rows[row][pivot] / source[pivot]
                for column in pivot...size { rows[row][column] -= factor * source[column] }
            }
        }
        var solution = [Double](repeating: 0, count: size)
        for row in (0..<size).reversed() {
            let known = (row + 1..<max(size, row + 1)).reduce(0) {
                $0 + rows[row][$1] * solution[$1]
            }
            solution[row] = (rows[row][size] - known) / rows[row][row]
        }
        return solution
    }
}
