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
        let rotations = encoderRotations(length: texts.length)
        let biases = try biases(ofLast: texts.length, of: texts.mask) { [$0.queryHeads] }
        for index in shape.layers.indices {
            x = try layer(x, index) { model, x throws(ModelFileError) in
                try model.encoderAttention(
                    x, index, split: split, biases: biases[index], mask: penalty,
                    rotations: rotations[model.shape.layers[index].rotation])
            }
        }
        try addOutputs(x, of: texts)
    }

    private mutating func embeddings(
        _ ids: ONNXGraph.Value, types: ONNXGraph.Value, length: ONNXGraph.Value
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let hidden = shape.hiddenSize
        var x = scaled(try tokenEmbeddings(ids), by: shape.usedFactors.embeddings)
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

    /// Returns the mask: 0 for a token, and -1e30 for padding, whose softmax is then 0.
    private mutating func encoderMask(_ mask: ONNXGraph.Value) -> ONNXGraph.Value {
        let wide = graph.apply("Unsqueeze", mask, graph.constant([1, 2]))
        let kept = graph.apply("Cast", wide, with: ["to": .integer(1)])
        let hidden = graph.apply("Sub", graph.constant(1), kept)
        return graph.apply("Mul", hidden, graph.constant(-1e30))
    }

    /// Returns the rotations of positions that start at 0, by the rotations of layers.
    private mutating func encoderRotations(
        length: ONNXGraph.Value
    ) -> [LayerShape.Rotation?: Rotations] {
        guard shape.architecture.positions == .rotary else { return [:] }
        let first = graph.constant([0])
        let places = graph.apply(
            "Range", graph.apply("Squeeze", first, first), graph.apply("Squeeze", length, first),
            graph.apply("Squeeze", graph.constant([1]), first))
        return rotations(graph.apply("Unsqueeze", places, first))
    }

    private mutating func encoderAttention(
        _ x: ONNXGraph.Value, _ index: Int, split: ONNXGraph.Value, biases: ONNXGraph.Value?,
        mask: ONNXGraph.Value, rotations: Rotations?
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let (width, prefix) = (
            shape.layers[index].queryHeads * shape.headDimension, names.layerPrefix(index)
        )
        let parts = try queriesKeysValues(x, index)
        let (queries, transposedKeys): (ONNXGraph.Value, ONNXGraph.Value)
        if rotations == nil, !shape.hasHeadNorms {
            queries = heads(parts[0], split: split)
            transposedKeys = heads(parts[1], split: split, order: [0, 2, 3, 1])
        } else {
            queries = try prepared(
                heads(parts[0], split: split), norm: names.queryNorm.map { prefix + $0 }, rotations)
            let keys = try prepared(
                heads(parts[1], split: split), norm: names.keyNorm.map { prefix + $0 }, rotations)
            transposedKeys = graph.apply(
                "Transpose", keys, with: ["perm": .integers([0, 1, 3, 2])])
        }
        let context = attend(
            queries, transposedKeys, heads(parts[2], split: split), biases: biases, mask: mask)
        return try linear(
            rows(context, width: width), prefix + names.output, inputs: width,
            outputs: shape.hiddenSize)
    }
}
