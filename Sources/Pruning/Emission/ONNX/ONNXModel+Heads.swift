internal import Foundation
internal import ModelFiles
internal import Transformers

/// Norms and rotary embeddings of the heads of queries and keys.
extension ONNXModel {
    /// The cosines and sines of every token's angles, `[batch, 1, tokens, pairs]` each.
    struct Rotations {
        let cosines: ONNXGraph.Value
        let sines: ONNXGraph.Value
    }

    /// Adds the cosines and sines of `positions`, `[batch, tokens]`, to the graph.
    ///
    /// The result has one pair for each kind of rotary positions that a layer has. Its keys are the
    /// values of ``LayerShape/rotation``. It has no pair for layers whose queries and keys are not
    /// rotated.
    mutating func rotations(
        _ positions: ONNXGraph.Value
    ) -> [LayerShape.Rotation?: Rotations] {
        var rotations: [LayerShape.Rotation?: Rotations] = [:]
        // The loop follows the order of the layers, so that equal models have equal graphs.
        for layer in shape.layers where rotations[layer.rotation] == nil {
            guard let frequencies = shape.rotaryFrequencies(of: layer.rotation) else { continue }
            rotations[layer.rotation] = self.rotations(positions, frequencies.map(Float.init))
        }
        return rotations
    }

    private mutating func rotations(
        _ positions: ONNXGraph.Value, _ frequencies: [Float]
    ) -> Rotations {
        let wide = graph.apply("Unsqueeze", positions, graph.constant([1, 3]))
        let numbers = graph.apply("Cast", wide, with: ["to": .integer(1)])
        let angles = graph.apply(
            "Mul", numbers, graph.constant(frequencies, shape: [1, 1, 1, frequencies.count]))
        return Rotations(cosines: graph.apply("Cos", angles), sines: graph.apply("Sin", angles))
    }

    /// Prepares query heads or key heads, `[batch, heads, tokens, width]`, for attention.
    ///
    /// The heads are normalised if the model has head norms. They are rotated if `rotations` is not
    /// nil.
    mutating func prepared(
        _ x: ONNXGraph.Value, norm: String?, _ rotations: Rotations?
    ) throws(ModelFileError) -> ONNXGraph.Value {
        var x = x
        if let norm, shape.hasHeadNorms { x = try rmsNorm(x, norm, width: shape.headDimension) }
        return rotations.map { rotated(x, $0) } ?? x
    }

    /// Applies rotary embeddings to the first `rotatedChannels` channels of each head.
    ///
    /// Channel `i` of the first half of these channels and channel `i` of the second half are
    /// rotated as a pair. The other channels of the head do not change.
    private mutating func rotated(
        _ x: ONNXGraph.Value, _ rotations: Rotations
    ) -> ONNXGraph.Value {
        let (cosines, sines) = (rotations.cosines, rotations.sines)
        let (half, rest) = (shape.rotatedChannels / 2, shape.headDimension - shape.rotatedChannels)
        let parts =
            rest == 0
            ? graph.apply("Split", [x], results: 2, with: ["axis": .integer(-1)])
            : graph.apply(
                "Split", [x, graph.constant([half, half, rest])], results: 3,
                with: ["axis": .integer(-1)])
        let (a, b) = (parts[0], parts[1])
        let first = graph.apply(
            "Sub", graph.apply("Mul", a, cosines), graph.apply("Mul", b, sines))
        let second = graph.apply(
            "Add", graph.apply("Mul", b, cosines), graph.apply("Mul", a, sines))
        let rotated = [first, second] + parts.dropFirst(2)
        return graph.apply("Concat", rotated, results: 1, with: ["axis": .integer(-1)])[0]
    }
}
