import Tensors
import TestSupport
import Testing

@testable import Transformers

@Suite("Other families compared with transformers")
struct FamilyTests {
    struct Expected: Decodable {
        let ids: [[Int32]]
        let logits: [[[Float]]]
    }

    static let names = [
        "tiny-llama3", "tiny-mistral", "tiny-qwen2", "tiny-qwen3", "tiny-gpt2", "tiny-opt",
        "tiny-stablelm", "tiny-granite", "tiny-phi3", "tiny-smollm3", "tiny-gemma3_text",
        "tiny-gemma2", "tiny-bloom",
    ]

    @Test("logits of every position agree", arguments: names)
    func logits(name: String) throws {
        let expected = try Fixture.decode(Expected.self, "\(name)/expected.json")
        var pass = try Fixture.pass(name)
        let logits = pass.allLogits(of: TokenBatch(expected.ids))
        expectClose(
            logits.elements, expected.logits.flatMap { $0.flatMap(\.self) }, absolute: 2e-4)
    }

    @Test("decoding with a cache gives the logits of the full sequence", arguments: names)
    func cache(name: String) throws {
        let expected = try Fixture.decode(Expected.self, "\(name)/expected.json")
        var pass = try Fixture.pass(name)
        let (ids, want) = (expected.ids[2], expected.logits[2])
        var cache = KeyValueCache(for: pass.model, capacity: ids.count)
        var logits = Activations()
        for (index, id) in ids.enumerated() {
            pass.advance([id], cache: &cache, logits: &logits)
            expectClose(Array(logits.row(0)), want[index], absolute: 2e-4)
        }
    }

    @Test(
        "hidden states of encoders agree, up to the last position",
        arguments: ["tiny-roberta", "tiny-distilbert", "tiny-mpnet"])
    func encoders(name: String) throws {
        struct Expected: Decodable {
            let ids: [[Int32]]
            let hidden: [[[Float]]]
        }
        let expected = try Fixture.decode(Expected.self, "\(name)/expected.json")
        var pass = try Fixture.pass(name)
        #expect(pass.model.shape.maximumPositions == 32)
        let hidden = pass.hiddenStates(of: TokenBatch(expected.ids))
        expectClose(
            hidden.matrix.elements, expected.hidden.flatMap { $0.flatMap(\.self) },
            absolute: 1e-4)
    }

    @Test(
        "written weights equal the weights that were read", arguments: names + ["tiny-distilbert"])
    func writing(name: String) throws {
        let checkpoint = try Checkpoint(Fixture.path(name))
        let names = checkpoint.huggingFaceNames
        var tensors = names.tensors(of: try checkpoint.embeddings())
        tensors += names.tensors(of: try checkpoint.head())
        for index in checkpoint.shape.layers.indices {
            tensors += names.tensors(
                of: try checkpoint.layer(index), at: index,
                headDimension: checkpoint.shape.headDimension)
        }
        #expect(Set(tensors.map(\.name)) == Set(checkpoint.file.names))
        for tensor in tensors {
            #expect(checkpoint.file.shape(of: tensor.name) == tensor.shape)
            #expect(try checkpoint.file.floats(tensor.name) == tensor.elements, "\(tensor.name)")
        }
    }

    @Test("each layer has its attention window, and windows do not limit sequences")
    func window() throws {
        func windows(_ name: String) throws -> [Int?] {
            let shape = try ModelShape(contentsOf: Fixture.path(name))
            #expect(shape.maximumPositions == 64)
            return shape.layers.map(\.window)
        }
        #expect(try windows("tiny-mistral") == [32, 32, 32])
        #expect(try windows("tiny-gemma3_text") == [32, nil, 32])
        #expect(try windows("tiny-gemma2") == [8, nil, 8])
        #expect(try windows("tiny-qwen2") == [nil, nil, nil])
    }

    @Test("stacked projections without a bias get zeros if another projection has a bias")
    func stacking() {
        let plain = Projection(weight: Matrix(rows: 2, columns: 3, repeating: 1))
        let biased = Projection(weight: Matrix(rows: 1, columns: 3, repeating: 2), bias: [5])
        let mixed = Projection(stacking: [plain, biased])
        #expect(mixed.bias == [0, 0, 5] && mixed.weight.elements == [1, 1, 1, 1, 1, 1, 2, 2, 2])
        #expect(Projection(stacking: [plain, plain]).bias == nil)
    }
}
