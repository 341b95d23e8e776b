import Foundation
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Heads with their own terms of scores")
struct KeptHeadsTests {
    private let engine = Engine(threads: 2)
    private let batch = TokenBatch([
        (0..<30).map { Int32(3 + $0 * 7 % 90) }, (0..<11).map { Int32(5 + $0 * 11 % 89) },
    ])

    private func output(of source: some WeightSource) throws -> [Float] {
        var pass = ForwardPass(try Model(source), on: engine)
        guard source.shape.architecture.isCausal else {
            return pass.hiddenStates(of: batch).matrix.elements
        }
        var all: [Float] = []
        pass.logits(of: batch) { all += $1.matrix.elements }
        return all
    }

    /// A model pruned at random, and the one that it comes from with the same heads silenced.
    private func prune(
        _ checkpoint: Checkpoint, to heads: Int, seed: UInt64, in scratch: Scratch
    ) throws -> (shrunk: ShrunkWeights, masked: MaskedWeights) {
        let path = scratch.path("moments-\(seed).safetensors")
        try CalibrationFile.write(
            Calibration(checkpoint, on: [batch], engine: engine), to: path)
        let surgery = Surgery(
            checkpoint, calibration: try CalibrationFile(path: path), engine: engine)
        var plan = Plan(keepingAllOf: checkpoint.shape)
        plan.attention[0] = heads
        plan.attention[1] = heads
        plan.feedForward[1] = 20
        let order = Surgery.Order.random(seed: seed)
        let shrunk = ShrunkWeights(
            plan, losses: try surgery.losses(order: order), surgery: surgery, order: order)
        return (shrunk, MaskedWeights(dense: checkpoint, kept: shrunk.kept))
    }

    @Test(
        "kept heads keep their terms, in memory and in files, after pruning once and twice",
        arguments: ["tiny-bloom", "tiny-mpnet"])
    func pruning(name: String) throws {
        let (dense, scratch) = (try Checkpoint(TinyModel.path(name)), try Scratch())
        let (once, masked) = try prune(dense, to: 3, seed: 3, in: scratch)
        let lists = once.shape.layers.map(\.keptHeads)
        #expect(lists.contains { $0 != nil })
        let want = try output(of: masked)
        expectClose(try output(of: once), want, absolute: 1e-4)
        #expect(try output(of: dense) != want)

        try HuggingFaceDirectory.write(once, like: dense, to: scratch.path("once"))
        let read = try Checkpoint(scratch.path("once"))
        #expect(read.shape == once.shape && read.shape.biases == dense.shape.biases)
        #expect(try output(of: read) == output(of: once))

        let (twice, silenced) = try prune(read, to: 2, seed: 5, in: scratch)
        try expectClose(output(of: twice), output(of: silenced), absolute: 1e-4)
        for (layer, earlier) in zip(twice.shape.layers, read.shape.layers)
        where layer.queryHeads < earlier.queryHeads {
            let heads = layer.keptHeads ?? Array(0..<layer.queryHeads)
            let before = earlier.keptHeads ?? Array(0..<earlier.queryHeads)
            #expect(heads.count == layer.queryHeads && Set(before).isSuperset(of: heads))
        }
        try HuggingFaceDirectory.write(twice, like: read, to: scratch.path("twice"))
        #expect(try Checkpoint(scratch.path("twice")).shape == twice.shape)
    }

    @Test("a cache gives what the whole sequence gives, one token or several at a time")
    func cache() throws {
        let (dense, scratch) = (try Checkpoint(TinyModel.path("tiny-bloom")), try Scratch())
        let once = try prune(dense, to: 3, seed: 3, in: scratch).shrunk
        let ids = batch.ids.prefix(30)
        let want = try output(of: once)
        for step in [1, 4, 13] {
            var pass = ForwardPass(try Model(once), on: engine)
            var cache = KeyValueCache(for: pass.model, capacity: ids.count)
            var logits = Activations()
            for first in stride(from: 0, to: ids.count, by: step) {
                let last = min(first + step, ids.count)
                pass.advance(Array(ids[first..<last]), cache: &cache, logits: &logits)
                let width = once.shape.vocabularySize
                expectClose(
                    Array(logits.row(0)), Array(want[(last - 1) * width..<last * width]),
                    absolute: 1e-4)
            }
        }
    }

    @Test(
        "attention of narrow formats adds the terms too", arguments: ["tiny-bloom", "tiny-mpnet"],
        [Precision.bf16, .int8])
    func precisions(name: String, precision: Precision) throws {
        let dense = try Checkpoint(TinyModel.path(name))
        func states(_ precision: Precision) throws -> [Double] {
            var pass = ForwardPass(try Model(dense, precision: precision), on: engine)
            return pass.hiddenStates(of: batch).matrix.elements.map(Double.init)
        }
        let (want, got) = (try states(.f32), try states(precision))
        let error = zip(want, got).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let size = want.reduce(0) { $0 + $1 * $1 }
        #expect(error > 0 && error < 1e-2 * size, "\(error / size)")
    }
}
