import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Calibration")
struct CalibrationTests {
    /// The mean of `x xᵀ`, by its definition.
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

    /// Expects symmetric matrices to agree, each element on the scale of its row and column.
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
        "second moments and block influence are what their definitions say",
        arguments: TinyModel.names)
    func definitions(name: String) throws {
        let tiny = try TinyModel(name, tokens: 400)
        let calibration = try tiny.calibration()
        let seen = tiny.observed()
        #expect(calibration.tokens == tiny.text.calibration.reduce(0) { $0 + $1.count })
        #expect(calibration.components == tiny.components)
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
        }
        for component in [tiny.components[0], tiny.components[3]] {
            let want = moments(
                of: try #require(seen.inputs[component]), bias: true)
            expectAlike(try #require(calibration.takeHessian(of: component)), want, 2e-6)
            #expect(calibration.takeHessian(of: component) == nil)
        }
    }

    @Test(
        "many batches or one give the same, but for f32 sums of one batch",
        arguments: TinyModel.names)
    func batching(name: String) throws {
        let tiny = try TinyModel(name, tokens: 1500)
        let (many, one) = (
            try tiny.calibration(batchTokens: 1), try tiny.calibration(batchTokens: 1 << 20)
        )
        expectClose(many.blockInfluence, one.blockInfluence, absolute: 1e-6)
        for component in tiny.components {
            expectAlike(
                try #require(many.takeHessian(of: component)),
                try #require(one.takeHessian(of: component)), 4e-6)
        }
    }

    @Test("progress may stop it")
    func stops() throws {
        struct Stop: Error {}
        let tiny = try TinyModel("tiny-llama")
        let calibration = Calibration(shape: tiny.shape, engine: tiny.engine)
        #expect(throws: Stop.self) {
            try calibration.collect(
                from: tiny.model, batches(of: tiny.text.calibration, tokens: 128)
            ) { if $0 > 200 { throw Stop() } }
        }
        #expect(calibration.tokens == 256)
    }

    @Test("a file gives back what was collected, rounded to f32", arguments: TinyModel.names)
    func file(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name, tokens: 300), try Scratch())
        let (collected, written) = (try tiny.calibration(), try tiny.calibration())
        let path = scratch.path("moments.safetensors")
        try CalibrationFile.write(written, to: path)
        #expect(written.components.isEmpty)
        #expect(try scratch.names() == ["moments.safetensors"])
        let file = try CalibrationFile(path: path)
        for component in tiny.components {
            let want = try #require(collected.takeHessian(of: component))
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
