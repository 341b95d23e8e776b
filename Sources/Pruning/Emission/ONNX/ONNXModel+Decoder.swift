internal import Foundation
internal import ModelFiles
internal import Transformers

/// The decoder of `Decoder.swift` in ONNX, with its key-value cache as inputs and outputs.
extension ONNXModel {
    /// The values that all layers of a decoder read.
    private struct Shared {
        /// The shape `[batch, tokens, heads, width]` that splits rows into heads.
        let split: ONNXGraph.Value
        let rotations: [LayerShape.Rotation?: Rotations]
        /// The masks by the windows of layers, `[batch, 1, 1, tokens, keys]`.
        let masks: [Int?: ONNXGraph.Value]
        /// The terms of the scores of each layer, `[groups, heads, tokens, keys]`; empty if there are
        /// none.
        let biases: [Int: ONNXGraph.Value]
        let batch: ONNXGraph.Value
        let length: ONNXGraph.Value
    }

    mutating func addDecoder() throws(ModelFileError) {
        let hidden = shape.hiddenSize
        let tokens: [ONNXGraph.Dimension] = [.named("batch"), .named("sequence")]
        let ids = graph.input("input_ids", .int64, tokens)
        let mask = graph.input("attention_mask", .int64, [.named("batch"), .named("total")])
        let positions = graph.input("position_ids", .int64, tokens)
        let (batch, length) = (size(of: ids, 0), size(of: ids, 1))
        let shared = Shared(
            split: joined(batch, length, graph.constant([-1, shape.headDimension])),
            rotations: rotations(positions),
            masks: decoderMasks(mask, length: length),
            biases: try biases(ofLast: length, of: mask) {
                [$0.keyValueHeads, $0.queryHeads / $0.keyValueHeads]
            }, batch: batch, length: length)

        let factors = shape.usedFactors
        var embedded = scaled(try tokenEmbeddings(ids), by: factors.embeddings)
        if let name = names.positions, let rows = file.shape(of: name + ".weight")?.first {
            let places = try weights(name + ".weight", [rows, hidden])
            let reserved = graph.constant([max(0, rows - shape.maximumPositions)])
            let used = graph.apply("Gather", places, graph.apply("Add", positions, reserved))
            embedded = graph.apply("Add", embedded, used)
        }
        if let norm = names.embeddingNorm { embedded = try normalise(embedded, norm) }
        var x = graph.apply("Reshape", embedded, graph.constant([-1, hidden]))
        for index in shape.layers.indices {
            x = try layer(x, index) { model, x throws(ModelFileError) in
                try model.attention(x, index, shared)
            }
        }
        if let name = names.finalNorm { x = try normalise(x, name) }
        let products = try product(
            x, (shape.tiedHead ? names.tokens : names.head ?? "") + ".weight", inputs: hidden,
            outputs: shape.vocabularySize)
        let logits = capped(scaled(products, by: factors.logits), at: factors.logitCap)
        let sizes = joined(batch, length, graph.constant([shape.vocabularySize]))
        graph.output(
            graph.apply("Reshape", logits, sizes), as: "logits", .float,
            tokens + [.fixed(shape.vocabularySize)])
        for entry in cache { graph.output(entry.value, as: entry.name, .float, entry.sizes) }
    }

    /// Returns the masks: 0 if a token sees a key, otherwise -1e30, so that the softmax is 0.
    private mutating func decoderMasks(
        _ mask: ONNXGraph.Value, length: ONNXGraph.Value
    ) -> [Int?: ONNXGraph.Value] {
        var masks: [Int?: ONNXGraph.Value] = [:]
        // The loop follows the order of the layers, so that equal models have equal graphs.
        for layer in shape.layers where masks[layer.window] == nil {
            masks[layer.window] = decoderMask(mask, length: length, window: layer.window)
        }
        return masks
    }

    private mutating func decoderMask(
        _ mask: ONNXGraph.Value, length: ONNXGraph.Value, window: Int?
    ) -> ONNXGraph.Value {
        let first = graph.constant([0])
        let total = size(of: mask, 1)
        func scalar(_ value: ONNXGraph.Value) -> ONNXGraph.Value {
            graph.apply("Squeeze", value, first)
        }
        let places = graph.apply(
            "Range", scalar(first), scalar(total), scalar(graph.constant([1])))
        let own = graph.apply(
            "Slice", places, graph.apply("Sub", total, length), total, first)
        let column = graph.apply("Unsqueeze", own, graph.constant([1]))
        var seen = graph.apply("LessOrEqual", places, column)
        if let window {
            let before = graph.apply("Sub", column, graph.constant([window]))
            seen = graph.apply("And", seen, graph.apply("Greater", places, before))
        }
        let wide = graph.apply("Unsqueeze", mask, graph.constant([1, 2, 3]))
        let kept = graph.apply("Cast", wide, with: ["to": .integer(9)])
        return graph.apply(
            "Where", graph.apply("And", seen, kept), graph.constant(0), graph.constant(-1e30))
    }

    /// Attention in groups: the queries of a group share one product with the group's keys.
    private mutating func attention(
        _ x: ONNXGraph.Value, _ index: Int, _ shared: Shared
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let (layer, prefix) = (shape.layers[index], names.layerPrefix(index))
        let (hidden, width) = (shape.hiddenSize, shape.headDimension)
        let (queries, groups) = (layer.queryHeads, layer.keyValueHeads)
        let parts = try queriesKeysValues(x, index)
        let rotated = try prepared(
            heads(parts[0], split: shared.split), norm: names.queryNorm.map { prefix + $0 },
            shared.rotations[layer.rotation])
        let ownKeys = try prepared(
            heads(parts[1], split: shared.split), norm: names.keyNorm.map { prefix + $0 },
            shared.rotations[layer.rotation])
        let keys = cached(ownKeys, "key", index)
        let values = cached(heads(parts[2], split: shared.split), "value", index)

        // The heads of a group share its keys and values: [batch, groups, heads, tokens, width].
        let inGroups = joined(
            shared.batch, graph.constant([groups, queries / groups]), shared.length,
            graph.constant([width]))
        let alone = graph.constant([2])
        let transposedKeys = graph.apply(
            "Transpose", keys, with: ["perm": .integers([0, 1, 3, 2])])
        let context = attend(
            graph.apply("Reshape", rotated, inGroups),
            graph.apply("Unsqueeze", transposedKeys, alone),
            graph.apply("Unsqueeze", values, alone), biases: shared.biases[index],
            mask: shared.masks[layer.window])
        let asHeads = joined(
            shared.batch, graph.constant([queries]), shared.length, graph.constant([width]))
        return try linear(
            rows(graph.apply("Reshape", context, asHeads), width: queries * width),
            prefix + names.output, inputs: queries * width, outputs: hidden)
    }

    /// Appends keys or values to the cached keys or values; the result becomes an output.
    private mutating func cached(
        _ x: ONNXGraph.Value, _ kind: String, _ index: Int
    ) -> ONNXGraph.Value {
        func sizes(_ tokens: String) -> [ONNXGraph.Dimension] {
            [
                .named("batch"), .fixed(shape.layers[index].keyValueHeads), .named(tokens),
                .fixed(shape.headDimension),
            ]
        }
        let past = graph.input("past_key_values.\(index).\(kind)", .float, sizes("past"))
        let all = graph.apply("Concat", [past, x], results: 1, with: ["axis": .integer(2)])[0]
        cache.append(("present.\(index).\(kind)", all, sizes("total")))
        return all
    }
}
