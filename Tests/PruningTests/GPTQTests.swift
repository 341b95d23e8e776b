import Tensors
import TestSupport
import Testing

@testable import Pruning

@Suite("GPTQ")
struct GPTQTests {
    private static let grids = [WeightGrid.q40, .q80, .int8]

    private func layer(
        outputs: Int = 70, inputs: Int = 96, samples: Int = 300, seed: UInt64 = 1
    ) -> ReferenceLayer {
        ReferenceLayer(outputs: outputs, units: inputs, unitSize: 1, samples: samples, seed: seed)
    }

    private func rounded(
        _ layer: ReferenceLayer, _ grid: WeightGrid = .q40, threads: Int = 1
    ) throws -> CodedMatrix {
        try GPTQ(
            hessian: layer.hessian, grid: grid, damping: layer.damping,
            pool: ThreadPool(threads: threads)
        ).rounded(layer.weight)
    }

    private func double(_ matrix: Matrix<Float>) -> Matrix<Double> {
        Matrix(
            rows: matrix.rows, columns: matrix.columns, elements: matrix.elements.map(Double.init))
    }

    /// Optimal Brain Quantization: after each column is rounded, all later columns are corrected
    /// and the column is eliminated from the inverse Hessian, by the definitions.
    private func eliminated(
        _ layer: ReferenceLayer, order: [Int], grid: WeightGrid
    ) throws -> CodedMatrix {
        let pool = ThreadPool(threads: 1)
        var inverse = try Cholesky(SymmetricMatrix(layer.damped), pool: pool)
            .inverse(pool: pool).full
        // What is left of a column's error if all later columns correct it.
        var rest = [Double](repeating: 0, count: inverse.columns)
        for (place, column) in order.enumerated() {
            let later = order[place...].sorted()
            let h = layer.damped.selecting(rows: later).selecting(columns: later)
            let index = later.firstIndex(of: column) ?? 0
            rest[column] =
                1
                / (try Cholesky(SymmetricMatrix(h), pool: pool).inverse(pool: pool)[index, index])
        }
        var w = double(layer.weight)
        let size = w.columns
        var coded = CodedMatrix(rows: w.rows, columns: size, grid: grid)
        var scales = [Float](repeating: 0, count: w.rows)
        if grid.group == nil {
            scales = grid.scales(of: w, weights: rest)
            coded.scales = scales
        }
        for (place, column) in order.enumerated() {
            if let group = grid.group, place % group == 0 {
                let columns = Array(order[place..<min(place + group, size)])
                scales = grid.scales(
                    of: w.selecting(columns: columns), weights: columns.map { rest[$0] })
                for row in 0..<w.rows {
                    coded.scales[row * coded.groups + column / group] = scales[row]
                }
            }
            for row in 0..<w.rows {
                let code = grid.code(of: w[row, column], scale: scales[row])
                coded.codes[row * size + column] = code
                let error =
                    (w[row, column] - Double(grid.value(of: code, scale: scales[row])))
                    / inverse[column, column]
                for other in order[(place + 1)...] {
                    w[row, other] -= error * inverse[column, other]
                }
            }
            let pivot = inverse.row(column).map(\.self)
            for row in 0..<size {
                let factor = pivot[row] / pivot[column]
                for other in 0..<size { inverse[row, other] -= factor * pivot[other] }
            }
        }
        return coded
    }

    @Test("gives the weights of Optimal Brain Quantization by elimination", arguments: grids)
    func elimination(grid: WeightGrid) throws {
        for seed in 1...4 as ClosedRange<UInt64> {
            let layer = layer(outputs: 67, inputs: 96, seed: seed)
            let gptq = try GPTQ(
                hessian: layer.hessian, grid: grid, damping: layer.damping,
                pool: ThreadPool(threads: 1))
            #expect(gptq.order.sorted() == Array(0..<96))
            #expect(
                try gptq.rounded(layer.weight) == eliminated(layer, order: gptq.order, grid: grid))
        }
    }

    @Test("columns of a group are rounded one after another")
    func groups() throws {
        let layer = layer()
        let order = try GPTQ(hessian: layer.hessian, grid: .q40, pool: ThreadPool(threads: 1)).order
        for first in stride(from: 0, to: order.count, by: 32) {
            #expect(Set(order[first..<first + 32].map { $0 / 32 }).count == 1)
        }
    }

    @Test("has a lower error than rounding to nearest", arguments: grids)
    func error(grid: WeightGrid) throws {
        for seed in 1...5 as ClosedRange<UInt64> {
            let layer = layer(seed: seed)
            let ours = layer.error(double(try rounded(layer, grid).values))
            let nearest = layer.error(
                double(CodedMatrix(nearest: layer.weight, grid: grid).values))
            #expect(ours < 0.75 * nearest, "seed \(seed): \(ours) of \(nearest)")
        }
    }

    @Test("rounds to nearest if the inputs are independent of each other", arguments: grids)
    func independent(grid: WeightGrid) throws {
        var layer = layer()
        layer.hessian = Matrix(rows: 96, columns: 96)
        for index in 0..<96 { layer.hessian[index, index] = 2 }
        #expect(try rounded(layer, grid) == CodedMatrix(nearest: layer.weight, grid: grid))
    }

    @Test("is near the best codes of all", arguments: 1...20 as ClosedRange<UInt64>)
    func best(seed: UInt64) throws {
        let layer = layer(outputs: 1, inputs: 3, samples: 50, seed: seed)
        let coded = try rounded(layer)
        var least = Double.infinity
        for index in 0..<4096 {
            let values = [index & 15, index >> 4 & 15, index >> 8].map {
                Double(WeightGrid.q40.value(of: UInt8($0), scale: coded.scales[0]))
            }
            least = min(least, layer.error(Matrix(rows: 1, columns: 3, elements: values)))
        }
        let error = layer.error(double(coded.values))
        #expect(error >= least * (1 - 1e-9))
        // The nearest point of a lattice by successive rounding, within the bound of three terms.
        #expect(error <= 9 * least + 1e-9)
    }

    @Test("gives the same bytes with one and with two threads", arguments: grids)
    func threads(grid: WeightGrid) throws {
        let layer = layer(outputs: 200, inputs: 160)
        #expect(try rounded(layer, grid, threads: 1) == rounded(layer, grid, threads: 2))
    }

    @Test("inputs that were always zero are rounded to nearest and change nothing else")
    func dead() throws {
        var layer = layer()
        for dead in 32..<64 {
            for index in 0..<96 {
                layer.hessian[dead, index] = 0
                layer.hessian[index, dead] = 0
            }
        }
        let coded = try rounded(layer)
        let nearest = CodedMatrix(nearest: layer.weight, grid: .q40)
        let live = Array(0..<32) + Array(64..<96)
        var rest = layer
        rest.weight = layer.weight.selecting(columns: live)
        rest.hessian = layer.hessian.selecting(rows: live).selecting(columns: live)
        // The mean diagonal of the whole layer includes the zeros.
        rest.damping = layer.damping * 64 / 96
        #expect(
            coded.values.selecting(columns: Array(32..<64))
                == nearest.values.selecting(columns: Array(32..<64)))
        #expect(coded.values.selecting(columns: live) == (try rounded(rest)).values)
        layer.hessian = Matrix(rows: 96, columns: 96)
        #expect(try rounded(layer) == nearest)
    }

    @Test("moments that are not finite or of another shape are refused")
    func refuses() throws {
        for value in [Double.nan, .infinity, -1] {
            var layer = layer()
            layer.hessian[3, 3] = value
            #expect(throws: SurgeonError.self) { try rounded(layer) }
        }
        var layer = layer()
        (layer.hessian[5, 3], layer.hessian[3, 5]) = (.nan, .nan)
        #expect(throws: SurgeonError.self) { try rounded(layer) }
        layer.hessian = Matrix(rows: 2, columns: 3)
        #expect(throws: SurgeonError.self) { try rounded(layer) }
    }

    @Test("a layer without outputs has no codes")
    func empty() throws {
        var layer = layer()
        layer.weight = Matrix(rows: 0, columns: 96)
        #expect(try rounded(layer).codes.isEmpty)
    }
}
