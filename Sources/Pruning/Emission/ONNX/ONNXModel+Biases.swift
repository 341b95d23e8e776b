internal import ModelFiles
internal import Transformers

/// The terms of attention scores that depend on the distance from the query to the key.
extension ONNXModel {
    /// The distances from the last tokens to all tokens, `[tokens, total]`.
    ///
    /// - Parameters:
    ///   - tokens: The number of queries.
    ///   - total: The number of keys.
    /// - Returns: The position of each key minus that of each query, as integers.
    private mutating func distances(
        ofLast tokens: ONNXGraph.Value, of total: ONNXGraph.Value
    ) -> ONNXGraph.Value {
        let first = graph.constant([0])
        let places = graph.apply(
            "Range", graph.apply("Squeeze", first, first), graph.apply("Squeeze", total, first),
            graph.apply("Squeeze", graph.constant([1]), first))
        let own = graph.apply("Slice", places, graph.apply("Sub", total, tokens), total, first)
        return graph.apply("Sub", places, graph.apply("Unsqueeze", own, graph.constant([1])))
    }

    /// The terms of the scores of each layer's heads.
    ///
    /// Layers with the same heads share a value.
    ///
    /// - Parameters:
    ///   - tokens: The number of queries, which are the last tokens.
    ///   - mask: The attention mask, `[batch, total]`.
    ///   - sizes: Returns the dimensions of a layer's heads.
    /// - Returns: The terms by layer, `sizes + [tokens, total]`. It is empty if nothing is added to
    ///   scores.
    /// - Throws: `ModelFileError` if weights are missing.
    mutating func biases(
        ofLast tokens: ONNXGraph.Value, of mask: ONNXGraph.Value, sizes: (LayerShape) -> [Int]
    ) throws(ModelFileError) -> [Int: ONNXGraph.Value] {
        guard let biases = shape.biases else { return [:] }
        let distances = distances(ofLast: tokens, of: size(of: mask, 1))
        var (values, known) = ([Int: ONNXGraph.Value](), [[[Int]]: ONNXGraph.Value]())
        for (index, layer) in shape.layers.enumerated() where layer.queryHeads > 0 {
            let heads = layer.keptHeads ?? Array(0..<layer.queryHeads)
            let key = [heads, sizes(layer)]
            if known[key] == nil {
                known[key] = try terms(biases, of: heads, distances: distances, sizes: key[1])
            }
            values[index] = known[key]
        }
        return values
    }

    private mutating func terms(
        _ biases: PositionBiases, of heads: [Int], distances: ONNXGraph.Value, sizes: [Int]
    ) throws(ModelFileError) -> ONNXGraph.Value {
        switch biases {
        case .slopes(let count):
            let slopes = PositionBiases.slopes(ofHeads: count)
            let numbers = graph.apply("Cast", distances, with: ["to": .integer(1)])
            return graph.apply(
                "Mul", graph.constant(heads.map { slopes[$0] }, shape: sizes + [1, 1]), numbers)
        case .buckets(let count):
            let table = try weights(
                (names.biases ?? "") + ".weight", [biases.tableRows ?? 0, count])
            let own = graph.apply(
                "Gather", table, graph.constant(heads), with: ["axis": .integer(1)])
            let farthest = shape.maximumPositions - 1
            let buckets = graph.constant((-farthest...farthest).map(PositionBiases.bucket))
            let rows = graph.apply(
                "Gather", buckets, graph.apply("Add", distances, graph.constant([farthest])))
            let terms = graph.apply(
                "Transpose", graph.apply("Gather", own, rows),
                with: ["perm": .integers([2, 0, 1])])
            return graph.apply(
                "Reshape", terms,
                joined(graph.constant(sizes), size(of: distances, 0), size(of: distances, 1)))
        }
    }
}
