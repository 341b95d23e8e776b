import ModelFiles
import Tensors
import Testing
import Transformers

@testable import Pruning

/// Adds the inputs of output projections.
private final class MomentsRecorder: ForwardObserver {
    var moments: [Component: SecondMoments] = [:]
    let engine: Engine

    init(on engine: Engine) { self.engine = engine }

    func willProject(_ component: Component, inputs: Activations) {
        moments[component, default: SecondMoments()].add(inputs, on: engine)
    }
}

/// Weights of which some layers are rounded.
private struct RoundedWeights: WeightSource {
    let dense: Checkpoint
    let layers: [LayerWeights]

    var shape: ModelShape { dense.shape }
    var pooling: Pooling { dense.pooling }

    func embeddings() throws -> EmbeddingWeights { try dense.embeddings() }

    func head() throws -> HeadWeights { try dense.head() }

    func layer(_ index: Int) throws -> LayerWeights { layers[index] }
}

@Suite("LayerRounding")
struct LayerRoundingTests {
    private func rounding(
        _ tiny: TinyModel, to grid: WeightGrid, threads: Int = 2
    ) throws -> LayerRounding {
        try LayerRounding(
            tiny.checkpoint, to: grid, on: batches(of: tiny.text.calibration, tokens: 512),
            engine: Engine(threads: threads))
    }

    private func allLayers(_ tiny: TinyModel, _ rounding: LayerRounding) throws -> [LayerWeights] {
        try tiny.shape.layers.indices.map { try rounding.layer($0) }
    }

    private func grid(_ name: String) -> WeightGrid { name == "tiny-llama" ? .q40 : .int8 }

    @Test(
        "output projections are rounded for their inputs in the rounded model",
        arguments: TinyModel.names)
    func sequential(name: String) throws {
        let tiny = try TinyModel(name)
        let layers = try allLayers(tiny, rounding(tiny, to: grid(name)))
        let model = try Model(RoundedWeights(dense: tiny.checkpoint, layers: layers))
        var pass = ForwardPass(model, on: tiny.engine)
        let recorder = MomentsRecorder(on: tiny.engine)
        pass.observer = recorder
        for batch in batches(of: tiny.text.calibration, tokens: 512) {
            _ = pass.hiddenStates(of: batch)
        }
        for component in tiny.components {
            let found = try #require(
                layers[component.layer].outputProjection(of: component.kind)?.codes)
            let moments = try #require(recorder.moments[component]).mean()
            let dense = try #require(
                try tiny.checkpoint.layer(component.layer).outputProjection(of: component.kind))
            let want = try GPTQ(
                hessian: moments, grid: grid(name), pool: tiny.engine.pool
            ).rounded(dense.weight)
            // Products of batches are added in another order there.
            let equal = zip(found.codes, want.codes).count { $0 == $1 }
            #expect(Double(equal) > 0.99 * Double(want.codes.count), "\(component)")
        }
    }

    @Test("the first projections of a component are rounded for the component's input")
    func entry() throws {
        let tiny = try TinyModel("tiny-llama")
        let layer = try rounding(tiny, to: .q40).layer(0)
        var pass = ForwardPass(tiny.model, on: tiny.engine)
        var moments = SecondMoments()
        for batch in batches(of: tiny.text.calibration, tokens: 512) {
            let stream = pass.embedded(batch)
            moments.add(
                pass.entry(of: Component(layer: 0, kind: .attention), entering: stream),
                on: tiny.engine)
        }
        let gptq = try GPTQ(hessian: moments.mean(), grid: .q40, pool: tiny.engine.pool)
        let dense = try #require(try tiny.checkpoint.layer(0).attention)
        #expect(layer.attention?.query.codes == gptq.rounded(dense.query.weight))
        #expect(layer.attention?.key.codes == gptq.rounded(dense.key.weight))
        #expect(layer.attention?.value.codes == gptq.rounded(dense.value.weight))
        #expect(layer.attentionNorm == (try tiny.checkpoint.layer(0)).attentionNorm)
    }

    @Test(
        "GPTQ changes the predictions on the calibration text less than rounding to nearest",
        arguments: TinyModel.names)
    func divergence(name: String) throws {
        let (tiny, grid) = (try TinyModel(name), grid(name))
        let layers = try allLayers(tiny, rounding(tiny, to: grid))
        let nearest = try tiny.shape.layers.indices.map { index in
            var layer = try tiny.checkpoint.layer(index)
            func round(_ projection: inout Projection?) {
                projection = projection.map {
                    Projection(codes: CodedMatrix(nearest: $0.weight, grid: grid), bias: $0.bias)
                }
            }
            for part in [\AttentionWeights.query, \.key, \.value, \.output] {
                var projection = layer.attention?[keyPath: part]
                round(&projection)
                if let projection { layer.attention?[keyPath: part] = projection }
            }
            if var block = layer.feedForward {
                var (up, down) = (Optional(block.up), Optional(block.down))
                round(&block.gate)
                round(&up)
                round(&down)
                (block.up, block.down) = (try #require(up), try #require(down))
                layer.feedForward = block
            }
            return layer
        }
        let divergence = ModelDivergence(
            from: tiny.model, on: TokenBatch(tiny.text.calibration), engine: tiny.engine)
        let (ours, theirs) = (
            divergence.of(try Model(RoundedWeights(dense: tiny.checkpoint, layers: layers))),
            divergence.of(try Model(RoundedWeights(dense: tiny.checkpoint, layers: nearest)))
        )
        #expect(ours < theirs, "\(ours), rounding to nearest \(theirs)")
    }

    @Test("gives the same codes with one and with two threads", arguments: TinyModel.names)
    func threads(name: String) throws {
        let (tiny, grid) = (try TinyModel(name), grid(name))
        let layers = try (1...2).map {
            try allLayers(tiny, rounding(tiny, to: grid, threads: $0))
        }
        #expect(layers[0] == layers[1])
    }

    @Test("projections that do not fill groups stay as they are, and removed branches are passed")
    func uneven() throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        let surgery = try tiny.surgery(in: scratch)
        var plan = Plan(keepingAllOf: tiny.shape)
        plan.feedForward[1] = 40
        plan.attention[2] = 0
        plan.feedForward[3] = 0
        let weights = ShrunkWeights(
            plan, losses: try surgery.losses(order: .optimalBrainSurgeon), surgery: surgery,
            order: .optimalBrainSurgeon)
        let rounding = try LayerRounding(
            weights, to: .q40, on: batches(of: tiny.text.calibration, tokens: 512),
            engine: tiny.engine)
        // The layers before the one that is asked for are rounded too.
        let second = try rounding.layer(1)
        #expect(second.feedForward?.down == (try weights.layer(1)).feedForward?.down)
        #expect(second.feedForward?.up.codes?.rows == 40)
        #expect(second.attention?.output.codes != nil)
        let rest = try (2...3).map { try rounding.layer($0) }
        #expect(rest[0].attention == nil && rest[0].feedForward?.down.codes != nil)
        #expect(rest[1].feedForward == nil && rest[1].attention?.query.codes != nil)
        let all = try LayerRounding(
            weights, to: .q40, on: batches(of: tiny.text.calibration, tokens: 512),
            engine: tiny.engine)
        #expect(try (0...3).map { try all.layer($0) }[1] == second)
    }

    @Test("the written file has exactly the codes")
    func written() throws {
        let (tiny, scratch) = (try TinyModel("tiny-llama"), try Scratch())
        for (storage, grid) in [(GGUFModel.Storage.q40, WeightGrid.q40), (.q80, .q80)] {
            let path = scratch.path("\(storage.rawValue).gguf")
            try GGUFModel.write(
                tiny.checkpoint, like: tiny.checkpoint, to: path, storage: storage,
                rounding: rounding(tiny, to: grid))
            let read = try Checkpoint(path)
            let layers = try allLayers(tiny, rounding(tiny, to: grid))
            for index in tiny.shape.layers.indices {
                let (found, want) = (try read.layer(index), layers[index])
                #expect(found.attention?.query.weight == want.attention?.query.codes?.values)
                #expect(found.attention?.output.weight == want.attention?.output.codes?.values)
                #expect(found.feedForward?.gate?.weight == want.feedForward?.gate?.codes?.values)
                #expect(found.feedForward?.down.weight == want.feedForward?.down.codes?.values)
                #expect(found.attentionNorm == want.attentionNorm)
            }
        }
    }

    @Test("weights outside the range of the grid and inputs that overflow are refused")
    func refuses() throws {
        let tiny = try TinyModel("tiny-llama")
        func round(_ change: (inout LayerWeights) -> Void) throws {
            var layers = try tiny.shape.layers.indices.map { try tiny.checkpoint.layer($0) }
            change(&layers[1])
            _ = try LayerRounding(
                RoundedWeights(dense: tiny.checkpoint, layers: layers), to: .q40,
                on: batches(of: tiny.text.calibration, tokens: 512), engine: tiny.engine
            ).layer(3)
        }
        let error = #expect(throws: NonFiniteError.self) {
            try round { $0.attention?.output.weight[0, 0] = 1e6 }
        }
        #expect(error?.description.contains("layer 1") == true)
        #expect(throws: SurgeonError.momentsNotFinite(Component(layer: 1, kind: .feedForward))) {
            try round { layer in
                layer.feedForwardNorm = NormWeights(
                    weight: [Float](repeating: 1e25, count: tiny.shape.hiddenSize))
            }
        }
    }
}
