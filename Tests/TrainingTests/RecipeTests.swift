import Tensors
import TestSupport
import Testing

@testable import Training
@testable import Transformers

/// Mixes of what architectures may say, which no family needs to have.
struct Mix: Sendable, CustomTestStringConvertible {
    let isCausal: Bool
    let positions: Architecture.Positions
    let norm: LayerRecipe.Norm
    let place: LayerRecipe.NormPlace
    let activation: Epilogue

    static let all: [Mix] = [true, false].flatMap { isCausal in
        [Architecture.Positions.learned, .rotary].flatMap { positions in
            [LayerRecipe.Norm.layer, .rootMeanSquare].flatMap { norm in
                [LayerRecipe.NormPlace.ahead, .behind].map { place in
                    Mix(
                        isCausal: isCausal, positions: positions, norm: norm, place: place,
                        activation: place == .ahead ? .swiglu : .tanhGELU)
                }
            }
        }
    }

    var testDescription: String { "\(isCausal) \(positions) \(norm) \(place) \(activation)" }

    var shape: ModelShape {
        var shape = ModelShape(
            architecture: Architecture(
                name: "mix", isCausal: isCausal, positions: positions,
                layer: LayerRecipe(norm: norm, normPlace: place, activation: activation)),
            vocabularySize: 40, hiddenSize: 32, headDimension: 8, maximumPositions: 24,
            normEpsilon: 1e-5, ropeTheta: 100, tiedHead: isCausal,
            layers: [LayerShape](
                repeating: LayerShape(queryHeads: 4, keyValueHeads: 2, feedForward: 48), count: 2))
        shape.rotaryDimension = positions == .rotary ? 4 : nil
        shape.optionalWeights = [.headNorms, .attentionInputBiases]
        shape.layers[1].feedForward = 0
        return shape
    }
}

@Suite("Recipes of layers") struct RecipeTests {
    private let sequences: [[Int32]] = [[3, 1, 4, 1, 5, 9], [2, 6, 5]]

    @Test(
        "every mix of recipes computes in training what it computes elsewhere", arguments: Mix.all)
    func training(mix: Mix) throws {
        let source = RandomWeights(shape: mix.shape)
        let engine = Engine(threads: 2)
        var pass = ForwardPass(try Model(source), on: engine)
        let want = pass.hiddenStates(of: TokenBatch(sequences)).matrix
        var training = TrainingPass(mix.shape, on: engine)
        let got = training.forward(try TrainableModel(source), TokenBatch(sequences)).matrix
        expectClose(got.elements, want.elements, absolute: 1e-4)
        // The branches one after another.
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
        "a cache gives what whole sequences give, in every mix",
        arguments: Mix.all.filter(\.isCausal))
    func cache(mix: Mix) throws {
        var pass = ForwardPass(try Model(RandomWeights(shape: mix.shape)), on: Engine(threads: 1))
        let ids = sequences[0]
        var whole: [[Float]] = []
        pass.logits(of: TokenBatch([ids])) { rows, logits in
            for row in 0..<rows.count { whole.append(Array(logits.row(row))) }
        }
        var cache = KeyValueCache(shape: mix.shape, capacity: ids.count)
        var logits = Activations()
        for (index, id) in ids.enumerated() {
            pass.advance([id], cache: &cache, logits: &logits)
            expectClose(Array(logits.row(0)), whole[index], absolute: 1e-4)
        }
    }
}
