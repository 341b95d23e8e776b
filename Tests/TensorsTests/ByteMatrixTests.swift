import TestSupport
import Testing

@testable import Tensors

@Suite("Tables in 8 bits")
struct ByteMatrixTests {
    private let engine = Engine(threads: 1)

    private func rows(_ indices: [Int32], of matrix: Matrix<Float>) -> Matrix<Float> {
        let table = ByteMatrix(rounding: matrix)
        var result = Activations()
        result.reshape(rows: indices.count, columns: matrix.columns)
        engine.gather(table, rows: indices, into: &result)
        return result.matrix
    }

    @Test("an element is at most half a step from its float, and a row of zeros stays zeros")
    func rounding() {
        var matrix = Matrix(rows: 7, columns: 33, elements: randomFloats(7 * 33, seed: 1))
        for column in 0..<33 { matrix[3, column] = 0 }
        let indices: [Int32] = [6, 0, 3, 6]
        let found = rows(indices, of: matrix)
        for (place, index) in indices.enumerated() {
            let row = Array(matrix.row(Int(index)))
            let step = row.reduce(0) { max($0, abs($1)) } / 127
            for (element, float) in zip(found.row(place), row) {
                #expect(abs(element - float) <= step / 2 * 1.0001)
            }
        }
        #expect(ByteMatrix(rounding: matrix).byteCount == 7 * (33 + 4))
    }

    @Test("a rounded matrix keeps its elements")
    func kept() {
        let matrix = Matrix(rows: 5, columns: 40, elements: randomFloats(200, seed: 2))
        let all: [Int32] = [0, 1, 2, 3, 4]
        let once = rows(all, of: matrix)
        let twice = rows(all, of: once)
        for (a, b) in zip(once.elements, twice.elements) {
            #expect(abs(a - b) <= abs(a) * 1e-6)
        }
    }
}
