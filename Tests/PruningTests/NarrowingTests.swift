import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

/// A model with a copy of each channel after all channels of the residual stream.
///
/// No matrix reads the copies. The norms are the same, so the model computes the same results.
private struct DoubledWeights: WeightSource {
    let source: Checkpoint

    var shape: ModelShape {
        var shape = source.shape
        shape.hiddenSize *= 2
        // The output head must not read the copies, so it cannot be tied.
        shape.tiedHead = false
        return shape
    }

    private func twice(_ matrix: Matrix<Float>) -> Matrix<Float> {
        let columns = Array(0..<matrix.columns)
        return matrix.selecting(columns: columns + columns)
    }

    private func twice(_ norm: NormWeights?) -> NormWeights? {
        norm.map {
            NormWeights(weight: $0.weight + $0.weight, bias: $0.bias.map { $0 + $0 })
        }
    }

    private func reading(_ projection: Projection) -> Projection {
        var wide = Matrix<Float>(rows: projection.weight.rows, columns: 2 * source.shape.hiddenSize)
        for row in 0..<wide.rows {
            for column in 0..<source.shape.hiddenSize {
                wide[row, column] = projection.weight[row, column]
            }
        }
        return Projection(weight: wide, bias: projection.bias)
    }

    private func writing(_ projection: Projection) -> Projection {
        let rows = Array(0..<projection.weight.rows)
        return projection.selecting(rows: rows + rows)
    }

    func embeddings() throws -> EmbeddingWeights {
        let dense = try source.embeddings()
        return EmbeddingWeights(
            tokens: twice(dense.tokens), positions: dense.positions.map(twice),
            types: dense.types.map(twice), norm: twice(dense.norm))
    }

    func layer(_ index: Int) throws -> LayerWeights {
        let dense = try source.layer(index)
        return LayerWeights(
            attention: dense.attention.map {
                AttentionWeights(
                    query: reading($0.query), key: reading($0.key), value: reading($0.value),
                    output: writing($0.output))
            }, attentionNorm: twice(dense.attentionNorm),
            feedForward: dense.feedForward.map {
                FeedForwardWeights(
                    gate: $0.gate.map(reading), up: reading($0.up), down: writing($0.down))
            }, feedForwardNorm: twice(dense.feedForwardNorm))
    }

    func head() throws -> HeadWeights {
        let dense = try source.head()
        guard !source.shape.architecture.isEncoder else { return dense }
        let output = try dense.output ?? source.embeddings().tokens
        return HeadWeights(
            norm: twice(dense.norm), output: reading(Projection(weight: output)).weight)
    }
}

@Suite("Narrowing")
struct NarrowingTests {
    @Test(
        "a model that is narrowed to the channels it uses computes the same results",
        arguments: TinyModel.names)
    func narrowing(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let doubled = DoubledWeights(source: tiny.checkpoint)
        let path = scratch.path("moments.safetensors")
        let calibration = try Calibration(
            doubled, on: batches(of: tiny.text.calibration, tokens: 512), engine: tiny.engine)
        try CalibrationFile.write(calibration, to: path)
        let width = tiny.shape.hiddenSize
        #expect(calibration.channelNorms.count == 2 * width)
        let (own, copies) = (calibration.channelNorms[..<width], calibration.channelNorms[width...])
        #expect(zip(own, copies).allSatisfy { abs($0 - $1) < 1e-4 * $0 })
        let surgery = Surgery(
            doubled, calibration: try CalibrationFile(path: path),
            channelImportance: (0..<2 * width).map { $0 < width ? 1 : 0 }, engine: tiny.engine)
        let losses = try surgery.losses(order: .activation)
        var plan = Plan(keepingAllOf: doubled.shape)
        plan.hiddenSize = width
        let narrow = ShrunkWeights(plan, losses: losses, surgery: surgery, order: .activation)
        #expect(narrow.shape.hiddenSize == width && narrow.channels == Array(0..<width))
        #expect(try narrow.layer(0) == tiny.checkpoint.layer(0))
        let wide = tiny.output(of: try Model(doubled))
        let want = tiny.output(of: tiny.model)
        expectClose(tiny.output(of: try Model(narrow)), want, absolute: 1e-5)
        guard name == "tiny-llama" else { return }
        expectClose(wide, want, absolute: 1e-4)
    }

    @Test("a narrowed model can be written and read", arguments: TinyModel.names)
    func emission(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let path = scratch.path("moments.safetensors")
        let calibration = try tiny.calibration()
        try CalibrationFile.write(calibration, to: path)
        let surgery = Surgery(
            tiny.checkpoint, calibration: try CalibrationFile(path: path),
            channelImportance: calibration.channelNorms, engine: tiny.engine)
        let losses = try surgery.losses(order: .activation)
        let step = tiny.shape.channelStep
        var plan = Plan(keepingAllOf: tiny.shape)
        plan.hiddenSize = tiny.shape.hiddenSize - step
        plan.feedForward = plan.feedForward.map { $0 / 2 }
        if name == "tiny-bert" { plan.attention = plan.attention.map { $0 - 1 } }
        let narrow = ShrunkWeights(plan, losses: losses, surgery: surgery, order: .activation)
        try HuggingFaceDirectory.write(
            narrow, like: tiny.checkpoint, channels: narrow.channels, to: scratch.path("out"))
        let read = try Checkpoint(scratch.path("out"))
        #expect(read.shape == narrow.shape)
        #expect(tiny.output(of: try Model(read)) == tiny.output(of: try Model(narrow)))
        let files = try FileManager.default.contentsOfDirectory(atPath: scratch.path("out"))
        #expect(!files.contains("modeling_espalier.py"), "equal layers need no Python file")
        for tensor in try read.otherTensors() {
            #expect(!tensor.shape.contains(tiny.shape.hiddenSize), "\(tensor.name)")
        }
    }

    @Test(
        "the importance of a channel is computed from the inputs of the layers",
        arguments: TinyModel.names)
    func importance(name: String) throws {
        let tiny = try TinyModel(name)
        let calibration = try tiny.calibration()
        _ = try calibration.next()
        let norm = try tiny.checkpoint.layer(0).attentionNorm
        let rows = tiny.observed().streams[0]
        for channel in [0, 5, tiny.shape.hiddenSize - 1] {
            var sum = 0.0
            for index in 0..<rows.rows {
                let row = rows.row(index).map(Double.init)
                let square = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
                let scale = (square + Double(tiny.shape.normEpsilon)).squareRoot()
                let value =
                    tiny.shape.architecture.isEncoder
                    ? row[channel] : row[channel] / scale * Double(norm?.weight[channel] ?? 0)
                sum += value * value
            }
            let want = (sum / Double(rows.rows)).squareRoot()
            #expect(abs(calibration.channelNorms[channel] - want) < 1e-3 * want)
        }
    }
}
