internal import Foundation
internal import ModelFiles
internal import Transformers

/// A layer in ONNX, following the architecture's ``LayerRecipe``.
extension ONNXModel {
    /// Returns the residual stream after a layer, as rows.
    ///
    /// - Parameters:
    ///   - entering: The residual stream before the layer.
    ///   - index: The index of the layer.
    ///   - attention: Computes the output of attention from its input.
    /// - Returns: Rows of the hidden size.
    /// - Throws: `ModelFileError` if weights are missing.
    mutating func layer(
        _ entering: ONNXGraph.Value, _ index: Int,
        attention: (inout ONNXModel, ONNXGraph.Value) throws(ModelFileError) -> ONNXGraph.Value
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let (sizes, prefix) = (shape.layers[index], names.layerPrefix(index))
        let attended = try branch(
            entering, norm: names.attentionNorm.map { prefix + $0 },
            outputNorm: names.attentionOutputNorm.map { prefix + $0 },
            isThere: sizes.queryHeads > 0, attention)
        return try branch(
            attended, norm: names.feedForwardNorm.map { prefix + $0 },
            outputNorm: names.feedForwardOutputNorm.map { prefix + $0 },
            isThere: sizes.feedForward > 0
        ) { model, x throws(ModelFileError) in try model.feedForward(x, index) }
    }

    /// Returns the residual stream after a branch, with the norms of the recipe.
    private mutating func branch(
        _ x: ONNXGraph.Value, norm: String?, outputNorm: String?, isThere: Bool,
        _ body: (inout ONNXModel, ONNXGraph.Value) throws(ModelFileError) -> ONNXGraph.Value
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let place = shape.architecture.layer.normPlace
        var sum = x
        if isThere {
            let entering = place.normalisesInput ? try normalise(x, norm ?? "") : x
            var added = try body(&self, entering)
            if place.normalisesOutput { added = try normalise(added, outputNorm ?? "") }
            added = scaled(added, by: shape.usedFactors.branches)
            sum =
                place.normalisesSum
                ? graph.apply("Add", added, x) : graph.apply("Add", x, added)
        }
        return place.normalisesSum ? try normalise(sum, norm ?? "") : sum
    }

    private mutating func feedForward(
        _ x: ONNXGraph.Value, _ index: Int
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let (hidden, width) = (shape.hiddenSize, shape.layers[index].feedForward)
        let prefix = names.layerPrefix(index)
        var up: ONNXGraph.Value
        var gate: ONNXGraph.Value?
        if names.gate == names.up {
            let both = try linear(x, prefix + names.up, inputs: hidden, outputs: 2 * width)
            let parts = graph.apply(
                "Split", [both, graph.constant([width, width])], results: 2,
                with: ["axis": .integer(-1)])
            (gate, up) = (parts[0], parts[1])
        } else {
            up = try linear(x, prefix + names.up, inputs: hidden, outputs: width)
            gate = try names.gate.map { name throws(ModelFileError) in
                try linear(x, prefix + name, inputs: hidden, outputs: width)
            }
        }
        return try linear(
            activated(up, gate: gate), prefix + names.down, inputs: width, outputs: hidden)
    }

    /// The activation of the architecture's feed-forward blocks.
    private mutating func activated(
        _ up: ONNXGraph.Value, gate: ONNXGraph.Value?
    ) -> ONNXGraph.Value {
        let x = gate ?? up
        let active: ONNXGraph.Value
        switch shape.architecture.layer.activation {
        case .gelu: active = gelu(x)
        case .tanhGELU: active = tanhGELU(x)
        case .relu: active = graph.apply("Relu", x)
        case .silu: active = graph.apply("Mul", x, graph.apply("Sigmoid", x))
        }
        return gate == nil ? active : graph.apply("Mul", active, up)
    }

    /// `x / 2 · (1 + erf(x / √2))`, in the order that ONNX Runtime fuses into one operator.
    mutating func gelu(_ x: ONNXGraph.Value) -> ONNXGraph.Value {
        let scaled = graph.apply("Div", x, graph.constant(Float(2).squareRoot()))
        let error = graph.apply("Erf", scaled)
        let onePlusError = graph.apply("Add", error, graph.constant(1))
        let product = graph.apply("Mul", x, onePlusError)
        return graph.apply("Mul", product, graph.constant(0.5))
    }

    /// `x / (1 + exp(-2z))` with `z = √(2/π) (x + 0.044715 x³)`.
    private mutating func tanhGELU(_ x: ONNXGraph.Value) -> ONNXGraph.Value {
        let root = (2 / Float.pi).squareRoot()
        let square = graph.apply("Mul", x, x)
        let scaled = graph.apply(
            "Add", graph.apply("Mul", square, graph.constant(2 * root * 0.044715)),
            graph.constant(2 * root))
        return graph.apply("Mul", x, graph.apply("Sigmoid", graph.apply("Mul", x, scaled)))
    }
}
