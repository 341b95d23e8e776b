internal import ModelFiles
internal import Transformers

/// The encoder of `Encoder.swift` in ONNX.
extension ONNXModel {
    mutating func addEncoder() throws(ModelFileError) {
        let texts = addTexts()
        let embedded = try embeddings(texts.ids, types: texts.types, length: texts.length)
        var x = graph.apply("Reshape", embedded, graph.constant([-1, shape.hiddenSize]))
        let split = joined(texts.batch, texts.length, graph.constant([-1, shape.headDimension]))
        let penalty = encoderMask(texts.mask)
        for index in shape.layers.indices {
            x = try encoderLayer(x, index, split: split, mask: penalty)
        }
        try addOutputs(x, of: texts)
    }

    private mutating func embeddings(
        _ ids: ONNXGraph.Value, types: ONNXGraph.Value, length: ONNXGraph.Value
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let hidden = shape.hiddenSize
        let table = try weights(names.tokens + ".weight", [shape.vocabularySize, hidden])
        var x = graph.apply("Gather", table, ids)
        if let name = names.types, let rows = file.shape(of: name + ".weight")?.first {
            let table = try weights(name + ".weight", [rows, hidden])
            x = graph.apply("Add", x, graph.apply("Gather", table, types))
        }
        if let name = names.positions, let rows = file.shape(of: name + ".weight")?.first {
            let table = try weights(name + ".weight", [rows, hidden])
            let first = graph.constant([max(0, rows - shape.maximumPositions)])
            let used = graph.apply(
                "Slice", table, first, graph.apply("Add", first, length), graph.constant([0]))
            x = graph.apply("Add", x, used)
        }
        guard let norm = names.embeddingNorm else { return x }
        return try normalise(x, norm)
    }

    /// 0 for a token, and for padding so little that it vanishes in the softmax.
    private mutating func encoderMask(_ mask: ONNXGraph.Value) -> ONNXGraph.Value {
        let wide = graph.apply("Unsqueeze", mask, graph.constant([1, 2]))
        let kept = graph.apply("Cast", wide, with: ["to": .integer(1)])
        let gone = graph.apply("Sub", graph.constant(1), kept)
        return graph.apply("Mul", gone, graph.constant(-1e30))
    }

    private mutating func encoderLayer(
        _ entering: ONNXGraph.Value, _ index: Int, split: ONNXGraph.Value, mask: ONNXGraph.Value
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let (layer, prefix) = (shape.layers[index], names.layerPrefix(index))
        let hidden = shape.hiddenSize
        var x = entering
        if layer.queryHeads > 0 {
            let width = layer.queryHeads * shape.headDimension
            let parts = try queriesKeysValues(x, index)
            let context = attend(
                heads(parts[0], split: split), heads(parts[1], split: split, order: [0, 2, 3, 1]),
                heads(parts[2], split: split), mask: mask)
            let output = try linear(
                rows(context, width: width), prefix + names.output, inputs: width, outputs: hidden)
            x = graph.apply("Add", output, x)
        }
        x = try normalise(x, prefix + names.attentionNorm)
        if layer.feedForward > 0 {
            let up = try linear(
                x, prefix + names.up, inputs: hidden, outputs: layer.feedForward)
            let down = try linear(
                gelu(up), prefix + names.down, inputs: layer.feedForward, outputs: hidden)
            x = graph.apply("Add", down, x)
        }
        return try normalise(x, prefix + names.feedForwardNorm)
    }

    /// `x / 2 · (1 + erf(x / √2))`, in the order in which ONNX Runtime knows it as one operator.
    mutating func gelu(_ x: ONNXGraph.Value) -> ONNXGraph.Value {
        let scaled = graph.apply("Div", x, graph.constant(Float(2).squareRoot()))
        let error = graph.apply("Erf", scaled)
        let grown = graph.apply("Add", error, graph.constant(1))
        let product = graph.apply("Mul", x, grown)
        return graph.apply("Mul", product, graph.constant(0.5))
    }
}
