import Tensors
import TestSupport
import Testing
import Transformers

@testable import Pruning

@Suite("Selection of layers")
struct LayerSelectionTests {
    @Test("selected layers are at equal distances and include the last layer")
    func everyOther() {
        #expect(LayerSelection.everyOther(4, of: 8) == [1, 3, 5, 7])
        #expect(LayerSelection.everyOther(8, of: 8) == Array(0..<8))
        #expect(LayerSelection.everyOther(1, of: 5) == [4])
        for count in 1...12 {
            let kept = LayerSelection.everyOther(count, of: 12)
            #expect(kept.count == count && kept == Set(kept).sorted() && kept.last == 11)
        }
    }

    @Test("the search removes the layers with the lowest loss, in the predicted number of trials")
    func search() throws {
        let tiny = try TinyModel("tiny-llama")
        // The loss depends on the numbers of neurons, which identify the layers.
        var plan = Plan(keepingAllOf: tiny.shape)
        for layer in tiny.shape.layers.indices { plan.feedForward[layer] = 32 * (layer % 3 + 1) }
        let scratch = try Scratch()
        let surgery = try tiny.surgery(in: scratch)
        let model = try Model(
            ShrunkWeights(
                plan, losses: try surgery.losses(order: .optimalBrainSurgeon), surgery: surgery,
                order: .optimalBrainSurgeon))
        var calls = 0
        let kept = try LayerSelection.search(2, of: model) { model in
            calls += 1
            return -Double(model.shape.layers.reduce(0) { $0 + $1.feedForward })
        }
        // The layers have 32, 64, 96 and 32 neurons.
        #expect(kept == [1, 2] && calls == LayerSelection.trials(2, of: 4) && calls == 7)
        let learned = try (UInt64(0)..<5).map { seed in
            try LayerSelection.learned(2, of: model, draws: 40, seed: seed) { model in
                -Double(model.shape.layers.reduce(0) { $0 + $1.feedForward })
            }
        }
        #expect(learned.allSatisfy { $0 == [1, 2] })
        let all = try LayerSelection.learned(4, of: model, draws: 1, seed: 1) { _ in .nan }
        #expect(all == [0, 1, 2, 3])
        let lost = try LayerSelection.learned(2, of: model, draws: 20, seed: 1) { _ in .nan }
        #expect(lost.count == 2)
    }

    @Test(
        "a model of the kept layers equals the model that skips the removed layers",
        arguments: TinyModel.names)
    func kept(name: String) throws {
        let (tiny, scratch) = (try TinyModel(name), try Scratch())
        let layers = [0, 2]
        let path = scratch.path("kept")
        try HuggingFaceDirectory.write(
            KeptLayers(tiny.checkpoint, layers: layers), like: tiny.checkpoint, to: path)
        let read = try Checkpoint(path)
        #expect(read.shape.layers.count == 2)
        #expect(
            tiny.output(of: try Model(read)) == tiny.output(of: tiny.model.keeping(layers: layers)))
    }
}
