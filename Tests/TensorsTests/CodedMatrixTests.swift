import Tensors
import TestSupport
import Testing

private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Float> {
    var generator = SplitMix64(seed: seed)
    return Matrix(
        rows: rows, columns: columns,
        elements: (0..<rows * columns).map { index in
            Float.random(in: -1...1, using: &generator) * Float(1 + index / 32 % 3)
        })
}

private func squaredError(_ got: [Float], _ want: [Float]) -> Double {
    zip(got, want).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
}

@Suite("CodedMatrix")
struct CodedMatrixTests {
    @Test(
        "the stored blocks have exactly the values of the codes",
        arguments: [DType.q40, .q80])
    func blocks(type: DType) throws {
        let grid = try #require(WeightGrid(storedAs: type))
        let coded = CodedMatrix(nearest: random(7, 96, seed: 1), grid: grid)
        let read = type.floats(from: coded.blocks(of: type).span.bytes)
        #expect(read == coded.values.elements)
        #expect(coded.codes.allSatisfy(grid.codes.contains))
        #expect(Set(coded.codes).count > 14)
    }

    @Test("the scales are at least as good as those of llama.cpp", arguments: [DType.q40, .q80])
    func scales(type: DType) throws {
        let grid = try #require(WeightGrid(storedAs: type))
        let matrix = random(40, 64, seed: 2)
        let ours = CodedMatrix(nearest: matrix, grid: grid).values.elements
        let theirs = type.floats(from: type.bytes(from: matrix.elements.span).span.bytes)
        for first in stride(from: 0, to: ours.count, by: 32) {
            let group = first..<first + 32
            let want = Array(matrix.elements[group])
            #expect(
                squaredError(Array(ours[group]), want)
                    <= squaredError(Array(theirs[group]), want) * (1 + 1e-6))
        }
        let (sum, limit) = (
            squaredError(ours, matrix.elements), squaredError(theirs, matrix.elements)
        )
        if type == .q40 { #expect(sum < 0.95 * limit) }
    }

    @Test("every code is the nearest to its number")
    func nearest() {
        let matrix = random(5, 80, seed: 3)
        for grid in [WeightGrid.q40, .q80, .int8] {
            let coded = CodedMatrix(nearest: matrix, grid: grid)
            for row in 0..<matrix.rows {
                for column in 0..<matrix.columns {
                    let scale = coded.scales[
                        row * coded.groups + (grid.group.map { column / $0 } ?? 0)]
                    let distances = grid.codes.map {
                        abs(grid.value(of: $0, scale: scale) - matrix[row, column])
                    }
                    let chosen = abs(coded.values[row, column] - matrix[row, column])
                    #expect(chosen <= (distances.min() ?? 0) + 1e-6)
                }
            }
        }
    }

    @Test("the int8 scale of a row is a 127th of its largest magnitude")
    func int8() {
        let matrix = random(3, 50, seed: 4)
        let coded = CodedMatrix(nearest: matrix, grid: .int8)
        for row in 0..<3 {
            let largest = matrix.row(row).map(abs).max() ?? 0
            #expect(coded.scales[row] == Float(Double(largest) / 127))
        }
        expectClose(coded.values.elements, matrix.elements, absolute: 3 / 127 / 2 + 1e-6)
    }

    @Test("groups of zeros, of tiny and of large numbers have finite values")
    func extremes() {
        var matrix = Matrix<Float>(rows: 1, columns: 96)
        for column in 32..<64 { matrix[0, column] = 1e-12 }
        for column in 64..<96 { matrix[0, column] = column % 2 == 0 ? 500_000 : -500_000 }
        let coded = CodedMatrix(nearest: matrix, grid: .q40)
        #expect(coded.values.elements[..<64].allSatisfy { $0 == 0 })
        let large = Array(coded.values.elements[64...])
        expectClose(large, Array(matrix.elements[64...]), relative: 0.13)
        #expect(WeightGrid.q40.maximumMagnitude == DType.q40.maximumMagnitude)
        #expect(WeightGrid.q80.maximumMagnitude == DType.q80.maximumMagnitude)
    }

    @Test("selected and stacked rows have the codes and scales of their rows")
    func rows() {
        let matrix = random(6, 40, seed: 5)
        let coded = CodedMatrix(nearest: matrix, grid: .q40)
        #expect(
            coded.selecting(rows: [4, 1]).values == coded.values.selecting(rows: [4, 1]))
        let parts = [coded.selecting(rows: [0, 1, 2]), coded.selecting(rows: [3, 4, 5])]
        #expect(CodedMatrix(stacking: parts) == coded)
    }
}
