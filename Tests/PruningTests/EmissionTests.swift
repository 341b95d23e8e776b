import Foundation
import ModelFiles
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("HuggingFaceDirectory")
struct EmissionTests {
    /// Expects a directory to contain exactly the weights of a source.
    private func expectSame(
        _ path: String, _ weights: some WeightSource,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let emitted = try Checkpoint(path)
        #expect(emitted.shape == weights.shape, sourceLocation: sourceLocation)
        #expect(
            try emitted.embeddings() == weights.embeddings(), sourceLocation: sourceLocation)
        #expect(try emitted.head() == weights.head(), sourceLocation: sourceLocation)
        for layer in weights.shape.layers.indices {
            #expect(
                try emitted.layer(layer) == weights.layer(layer), sourceLocation: sourceLocation)
        }
    }

    @Test(
        "written models are read with the same bits, with and without removed components",
        arguments: TinyModel.names)
    func roundTrip(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        var plans = (0..<4 as Range<UInt64>).map(tiny.randomPlan)
        plans[0].attention[0] = 0
        plans[0].feedForward[1] = 0
        for layer in tiny.shape.layers.indices { plans[1].attention[layer] = 0 }
        plans.append(Plan(keepingAllOf: tiny.shape))
        for (index, plan) in plans.enumerated() {
            let weights = ShrunkWeights(
                plan, losses: losses, surgery: surgery, order: .optimalBrainSurgeon)
            let path = scratch.path("model")
            var calls = 0
            try HuggingFaceDirectory.write(
                weights, like: tiny.checkpoint, to: path, extraFiles: ["note": [UInt8(index)]]
            ) { _ in calls += 1 }
            try expectSame(path, weights)
            #expect(calls > 10)
            let names = try scratch.names("model")
            #expect(names.contains("modeling_espalier.py") == (index < 4))
            let config = try #require(
                try JSONSerialization.jsonObject(
                    with: Data(contentsOf: URL(fileURLWithPath: path + "/config.json")))
                    as? [String: Any])
            #expect((config["espalier_layers"] != nil) == (index < 4))
            // With this member, classes of transformers would warn whenever a tokenizer is loaded.
            #expect(config["per_layer_config"] == nil)
            #expect(Set(names).isSuperset(of: ["config.json", "tokenizer.json", "note"]))
            #expect(names.allSatisfy { !$0.hasSuffix(".tmp") })
            let text = "A small story, 12."
            #expect(
                try Checkpoint(path).tokenizer().encode(text, addingSpecialTokens: true)
                    == tiny.checkpoint.tokenizer().encode(text, addingSpecialTokens: true))
        }
        #expect(try scratch.names() == ["model", "moments.safetensors"])
    }

    @Test(
        "shards contain the tensors of one file, and an index names the shard of each tensor",
        arguments: TinyModel.names)
    func shards(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name, tokens: 300), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        let weights = ShrunkWeights(
            tiny.randomPlan(seed: 5), losses: try surgery.losses(order: .optimalBrainSurgeon),
            surgery: surgery, order: .optimalBrainSurgeon)
        let path = scratch.path("model")
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        for file in ["config.json", "tokenizer.json"] {
            try FileManager.default.copyItem(
                atPath: TinyModel.path(name) + "/" + file, toPath: path + "/" + file)
        }
        let names = tiny.checkpoint.huggingFaceNames
        try WeightsFile.write(
            weights, names: names, of: tiny.checkpoint.config.family, to: path, maximumBytes: 40_000
        )
        let files = try scratch.names("model").filter { $0.hasSuffix(".safetensors") }
        #expect(files.count > 2 && files.allSatisfy { $0.hasPrefix("model-0000") }, "\(files)")
        let sharded = try SafetensorsFile(path: path)
        var count = 0
        for index in weights.shape.layers.indices {
            let layer = try weights.layer(index)
            let width = weights.shape.headDimension
            for tensor in names.tensors(of: layer, at: index, headDimension: width) {
                #expect(try sharded.floats(tensor.name, shape: tensor.shape) == tensor.elements)
                #expect(files.contains(try sharded.place(of: tensor.name).file))
                count += 1
            }
        }
        #expect(count > 10)
        try ONNXModel.write(weights.shape, in: path, names: names)
    }

    @Test("tensors outside the layers are written too")
    func otherTensors() throws {
        let (tiny, scratch) = (try TinyModel("tiny-bert"), try Scratch())
        let path = scratch.path("model")
        try HuggingFaceDirectory.write(tiny.checkpoint, like: tiny.checkpoint, to: path)
        let (got, want) = (
            try Checkpoint(path).otherTensors(), try tiny.checkpoint.otherTensors()
        )
        #expect(got.map(\.name) == want.map(\.name))
        #expect(got.map(\.elements) == want.map(\.elements))
    }

    @Test(
        "an interrupted write leaves no new files and does not change old files",
        arguments: [1, 3, 20])
    func stopped(call: Int) throws {
        struct Stop: Error {}
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        func write(stoppingAt last: Int) throws {
            var calls = 0
            try HuggingFaceDirectory.write(
                tiny.checkpoint, like: tiny.checkpoint, to: scratch.path("model")
            ) { _ in
                calls += 1
                if calls == last { throw Stop() }
            }
        }
        #expect(throws: Stop.self) { try write(stoppingAt: call) }
        #expect(try scratch.names().isEmpty)
        try write(stoppingAt: 0)
        #expect(throws: Stop.self) { try write(stoppingAt: call) }
        #expect(try scratch.names() == ["model"])
        try expectSame(scratch.path("model"), tiny.checkpoint)
    }

    @Test("a directory written from a GGUF model computes the same results")
    func fromGGUF() throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        let gguf = try Checkpoint(TinyModel.path("tiny-llama.gguf"))
        let path = scratch.path("model")
        try HuggingFaceDirectory.write(gguf, like: gguf, to: path)
        try expectSame(path, gguf)
        let want = tiny.output(of: try Model(gguf))
        #expect(tiny.output(of: try Model(Checkpoint(path))) == want)
        expectClose(tiny.output(of: tiny.model), want, absolute: 1e-4)
        let story = try TinyModel.story()
        let (got, known) = (try Checkpoint(path).tokenizer(), try gguf.tokenizer())
        #expect(
            got.encode(story, addingSpecialTokens: false)
                == known.encode(story, addingSpecialTokens: false))
        #expect(got.endOfText == known.endOfText && got.beginningOfText == known.beginningOfText)
    }

    @Test("the error for a directory that cannot be written names the directory")
    func unwritable() throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        try Data().write(to: URL(fileURLWithPath: scratch.path("file")))
        let error = #expect(throws: (any Error).self) {
            try HuggingFaceDirectory.write(
                tiny.checkpoint, like: tiny.checkpoint, to: scratch.path("file/model"))
        }
        #expect("\(try #require(error))".contains("file/model"))
        #expect(try scratch.names() == ["file"])
    }
}
