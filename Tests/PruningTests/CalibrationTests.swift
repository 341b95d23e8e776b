import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Calibration")
struct CalibrationTests {
    /// Returns the mean of `x xᵀ`, computed from the definition.
    private func moments(of inputs: Matrix<Float>, bias: Bool) -> Matrix<Double> {
        let size = inputs.columns + (bias ? 1 : 0)
        var sums = [Double](repeating: 0, count: size * size)
        for row in 0..<inputs.rows {
            let x = inputs.row(row).map(Double.init) + (bias ? [1] : [])
            for i in 0..<size {
                for j in 0..<size { sums[i * size + j] += x[i] * x[j] }
            }
        }
        return Matrix(
            rows: size, columns: size, elements: sums.map { $0 / Double(inputs.rows) })
    }

    /// Expects symmetric matrices to agree.
    ///
    /// The tolerance of an element depends on its row and column.
    private func expectAlike(
        _ got: Matrix<Double>, _ want: Matrix<Double>, _ tolerance: Double,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            got.rows == want.rows && got.columns == want.columns, sourceLocation: sourceLocation)
        guard got.rows == want.rows else { return }
        var worst = 0.0
        for i in 0..<want.rows {
            for j in 0..<want.rows {
                let scale = (want[i, i] * want[j, j]).squareRoot()
                let difference = abs(got[i, j] - want[i, j])
                worst = max(worst, difference == 0 ? 0 : difference / scale)
            }
        }
        #expect(worst <= tolerance, sourceLocation: sourceLocation)
    }

    @Test(
        "second moments and block influence agree with their definitions",
        arguments: TinyModel.names)
    func definitions(name: String) throws {
        let tiny = try TinyModel(name, tokens: 400)
        let calibration = try tiny.calibration()
        let seen = tiny.observed()
        #expect(calibration.tokens == tiny.text.calibration.reduce(0) { $0 + $1.count })
        let collected = try calibration.all()
        #expect(collected.keys.sorted() == tiny.components)
        #expect(calibration.blockInfluence.count == tiny.shape.layers.count)
        for (layer, influence) in calibration.blockInfluence.enumerated() {
            let (before, after) = (seen.streams[layer], seen.streams[layer + 1])
            var sum = 0.0
            for row in 0..<before.rows {
                let (x, y) = (
                    before.row(row).map(Double.init), after.row(row).map(Double.init)
                )
                func dot(_ a: [Double], _ b: [Double]) -> Double {
                    zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
                }
                sum += 1 - dot(x, y) / (dot(x, x) * dot(y, y)).squareRoot()
            }
            #expect(abs(influence - sum / Double(before.rows)) < 1e-5)
            #expect(influence > 1e-3)
            let squares = after.elements.reduce(0) { $0 + Double($1) * Double($1) }
            let mean = squares / Double(after.rows)
            #expect(abs(calibration.streamSquares[layer] - mean) < 1e-4 * mean)
        }
        for component in [tiny.components[0], tiny.components[3]] {
            let want = moments(
                of: try #require(seen.inputs[component]), bias: true)
            // Two terms in bfloat16 differ from a float by up to 4e-6.
            let usesTerms = InstructionSet.current.hasPrefix("amx")
            expectAlike(try #require(collected[component]), want, usesTerms ? 6e-6 : 2e-6)
        }
        #expect(try calibration.next() == nil)
    }

    @Test(
        "many batches give the same result as one batch, except for rounding",
        arguments: TinyModel.names)
    func batching(name: String) throws {
        let tiny = try TinyModel(name, tokens: 1500)
        let (many, one) = (
            try tiny.calibration(batchTokens: 1), try tiny.calibration(batchTokens: 1 << 20)
        )
        let (first, second) = (try many.all(), try one.all())
        expectClose(many.blockInfluence, one.blockInfluence, absolute: 1e-6)
        for component in tiny.components {
            expectAlike(
                try #require(first[component]), try #require(second[component]), 4e-6)
        }
    }

    @Test("an error in the progress callback stops the calibration")
    func stops() throws {
        struct Stop: Error {}
        let tiny = try TinyModel("tiny-llama")
        let (calibration, scratch) = (try tiny.calibration(batchTokens: 128), try Scratch())
        var calls: [Double] = []
        #expect(throws: Stop.self) {
            try CalibrationFile.write(calibration, to: scratch.path("moments.safetensors")) {
                calls.append($0)
                if $0 > 2.3 { throw Stop() }
            }
        }
        #expect(calls == calls.sorted() && calls.count > 9)
        #expect(calibration.blockInfluence.count == 2)
        #expect(try scratch.names().isEmpty)
    }

    @Test("a written calibration is read with values rounded to f32", arguments: TinyModel.names)
    func file(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name, tokens: 300), try Scratch())
        let (collected, written) = (try tiny.calibration().all(), try tiny.calibration())
        let path = scratch.path("moments.safetensors")
        try CalibrationFile.write(written, to: path)
        #expect(written.blockInfluence.count == tiny.shape.layers.count)
        #expect(try scratch.names() == ["moments.safetensors"])
        let file = try CalibrationFile(path: path)
        for component in tiny.components {
            let want = try #require(collected[component])
            let got = try file.hessian(of: component, withOnes: true)
            #expect(got.elements == want.elements.map { Double(Float($0)) })
            #expect(got == got.transposed)
            let (last, means) = (got.rows - 1, try file.means(of: component))
            #expect(got[last, last] == 1 && means == got.row(last).dropLast())
            let inner = try file.hessian(of: component, withOnes: false)
            #expect(inner.rows == last && inner.columns == last)
            #expect((0..<last).allSatisfy { inner.row($0) == got.row($0).dropLast() })
        }
        #expect(throws: (any Error).self) {
            try file.hessian(of: Component(layer: 99, kind: .attention), withOnes: true)
        }
    }
}
