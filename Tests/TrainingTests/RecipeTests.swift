import Tensors
import TestSupport
import Testing

@testable import Training
@testable import Transformers

/// Combinations of properties of architectures.
///
/// No family needs to have a combination.
struct Mix: Sendable, CustomTestStringConvertible {
    let isCausal: Bool
    let positions: Architecture.Positions
    let norm: LayerRecipe.Norm
    let place: LayerRecipe.NormPlace

    static let norms: [LayerRecipe.Norm] = [
        .layer, .layerWithoutBias, .rootMeanSquare, .rootMeanSquarePlusOne,
    ]

    static let all: [Mix] = [true, false].flatMap { isCausal in
        [Architecture.Positions.learned, .rotary].flatMap { positions in
            norms.flatMap { norm in
                [LayerRecipe.NormPlace.pre, .post, .onOutput, .around].map { place in
                    Mix(isCausal: isCausal, positions: positions, norm: norm, place: place)
                }
            }
        }
    }

    var testDescription: String { "\(isCausal) \(positions) \(norm) \(place)" }

    /// An activation function.
    ///
    /// Every activation function is in some combination.
    private var activation: LayerRecipe.Activation {
        switch norm {
        case .layer: .tanhGELU
        case .layerWithoutBias: .gelu
        case .rootMeanSquare: .silu
        default: positions == .rotary ? .tanhGELU : .silu
        }
    }

    var shape: ModelShape {
        var shape = ModelShape(
            architecture: Architecture(
                name: "mix", isCausal: isCausal, positions: positions,
                layer: LayerRecipe(
                    norm: norm, normPlace: place, activation: activation,
                    isGated: place != .post)),
            vocabularySize: 40, hiddenSize: 32, headDimension: 8, maximumPositions: 24,
            normEpsilon: 1e-5, ropeTheta: 100, tiedHead: isCausal,
            layers: [LayerShape](
                repeating: LayerShape(queryHeads: 4, keyValueHeads: 2, feedForward: 48), count: 2))
        shape.rotaryDimension = positions == .rotary ? 4 : nil
        shape.optionalWeights = [.headNorms, .attentionInputBiases]
        shape.layers[1].feedForward = 0
        return shape
    }

    /// Random weights, with random norms.
    var weights: some WeightSource { RandomNorms(base: RandomWeights(shape: shape)) }
}

/// A model with random norms.
private struct RandomNorms: WeightSource {
    let base: RandomWeights
    var shape: ModelShape { base.shape }

    private func random(_ norm: NormWeights?, _ seed: UInt64) -> NormWeights? {
        guard var norm else { return nil }
        let values = Matrix<Float>(randomRows: 2, columns: norm.weight.count, seed: seed)
        for place in norm.weight.indices {
            norm.weight[place] += values[0, place]
            norm.bias?[place] += values[1, place]
        }
        return norm
    }

    func embeddings() -> EmbeddingWeights {
        var embeddings = base.embeddings()
        embeddings.norm = random(embeddings.norm, 90)
        return embeddings
    }

    func layer(_ index: Int) -> LayerWeights {
        var layer = base.layer(index)
        let seed = 100 + 8 * UInt64(index)
        layer.attentionNorm = random(layer.attentionNorm, seed)
        layer.feedForwardNorm = random(layer.feedForwardNorm, seed + 1)
        layer.attentionOutputNorm = random(layer.attentionOutputNorm, seed + 4)
        layer.feedForwardOutputNorm = random(layer.feedForwardOutputNorm, seed + 5)
        if let block = layer.attention {
            layer.attention?.queryNorm = random(block.queryNorm, seed + 2)
            layer.attention?.keyNorm = random(block.keyNorm, seed + 3)
        }
        return layer
    }

    func head() -> HeadWeights {
        var head = base.head()
        head.norm = random(head.norm, 91)
        return head
    }
}

@Suite("Layer recipes") struct RecipeTests {
    private let sequences: [[Int32]] = [[3, 1, 4, 1, 5, 9], [2, 6, 5]]

    @Test(
        "the training pass and the forward pass agree for every combination", arguments: Mix.all)
    func training(mix: Mix) throws {
        let source = mix.weights
        let engine = Engine(threads: 2)
        var pass = ForwardPass(try Model(source), on: engine)
        let want = pass.hiddenStates(of: TokenBatch(sequences)).matrix
        var training = TrainingPass(mix.shape, on: engine)
        let got = training.forward(try TrainableModel(source), TokenBatch(sequences)).matrix
        expectClose(got.elements, want.elements, absolute: 1e-4)
        // The residual branches are computed one after another.
        var stream = pass.embedded(TokenBatch(sequences))
        for component in Plan(keepingAllOf: mix.shape).components {
            let inputs = pass.inputs(of: component, in: TokenBatch(sequences), entering: stream)
            let output = inputs.flatMap { pass.output(of: component, from: $0) }
            stream = pass.stream(after: component, entering: stream, adding: output)
        }
        let last = pass.hiddenStates(
            of: TokenBatch(sequences), from: mix.shape.layers.count, entering: stream)
        expectClose(last.matrix.elements, want.elements, absolute: 1e-4)
    }

    @Test(
        "decoding with a cache equals full sequences for every combination",
        arguments: Mix.all.filter(\.isCausal))
    func cache(mix: Mix) throws {
        var pass = ForwardPass(try Model(mix.weights), on: Engine(threads: 1))
        let ids = sequences[0]
        var whole: [[Float]] = []
        pass.logits(of: TokenBatch([ids])) { rows, logits in
            for row in 0..<rows.count { whole.append(Array(logits.row(row))) }
        }
        var cache = KeyValueCache(for: pass.model, capacity: ids.count)
        var logits = Activations()
        for (index, id) in ids.enumerated() {
            pass.advance([id], cache: &cache, logits: &logits)
            expectClose(Array(logits.row(0)), whole[index], absolute: 1e-4)
        }
    }

    @Test("along a gradient the loss rises as predicted for every combination", arguments: Mix.all)
    func gradients(mix: Mix) throws {
        var pass = TrainingPass(mix.shape, on: Engine(threads: 2))
        let batch = TokenBatch(sequences)
        try expectSlope(TrainableModel(mix.weights)) { sineLoss(&pass, &$0, batch) }
    }
}
