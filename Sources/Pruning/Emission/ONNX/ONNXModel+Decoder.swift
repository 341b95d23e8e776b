internal import Foundation
internal import ModelFiles
internal import Transformers

/// The decoder of `Decoder.swift` in ONNX, with its key-value cache as inputs and outputs.
extension ONNXModel {
    /// What all layers of a decoder read.
    private struct Shared {
        /// Rows as heads: `[batch, tokens, heads, width]`.
        let split: ONNXGraph.Value
        /// The cosines and sines of positions; nil where these are embedded.
        let rotations: (cosines: ONNXGraph.Value, sines: ONNXGraph.Value)?
        /// Shape `[batch, 1, 1, tokens, keys]`.
        let mask: ONNXGraph.Value
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
            rotations: shape.architecture.isRotary ? rotations(positions) : nil,
            mask: decoderMask(mask, length: length), batch: batch, length: length)

        let table = try weights(names.tokens + ".weight", [shape.vocabularySize, hidden])
        var embedded = graph.apply("Gather", table, ids)
        if let name = names.positions, let rows = file.shape(of: name + ".weight")?.first {
            let places = try weights(name + ".weight", [rows, hidden])
            let reserved = graph.constant([max(0, rows - shape.maximumPositions)])
            let used = graph.apply("Gather", places, graph.apply("Add", positions, reserved))
            embedded = graph.apply("Add", embedded, used)
        }
        var x = graph.apply("Reshape", embedded, graph.constant([-1, hidden]))
        for index in shape.layers.indices { x = try decoderLayer(x, index, shared) }
        if let name = names.finalNorm { x = try normalise(x, name) }
        let head =
            shape.tiedHead
            ? table : try weights((names.head ?? "") + ".weight", [shape.vocabularySize, hidden])
        let logits = graph.apply("Gemm", x, head, with: ["transB": .integer(1)])
        let sizes = joined(batch, length, graph.constant([shape.vocabularySize]))
        graph.output(
            graph.apply("Reshape", logits, sizes), as: "logits", .float,
            tokens + [.fixed(shape.vocabularySize)])
        for entry in cache { graph.output(entry.value, as: entry.name, .float, entry.sizes) }
    }

    /// Cosines and sines of every token's angles, `[batch, 1, tokens, width / 2]`.
    private mutating func rotations(
        _ positions: ONNXGraph.Value
    ) -> (cosines: ONNXGraph.Value, sines: ONNXGraph.Value) {
        let width = shape.headDimension
        let frequencies = shape.rotaryFrequencies.map(Float.init)
        let wide = graph.apply("Unsqueeze", positions, graph.constant([1, 3]))
        let numbers = graph.apply("Cast", wide, with: ["to": .integer(1)])
        let angles = graph.apply(
            "Mul", numbers, graph.constant(frequencies, shape: [1, 1, 1, width / 2]))
        return (graph.apply("Cos", angles), graph.apply("Sin", angles))
    }

    /// 0 where a token sees a key, and else so little that it vanishes in the softmax.
    private mutating func decoderMask(
        _ mask: ONNXGraph.Value, length: ONNXGraph.Value
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
        let seen = graph.apply(
            "LessOrEqual", places, graph.apply("Unsqueeze", own, graph.constant([1])))
        let wide = graph.apply("Unsqueeze", mask, graph.constant([1, 2, 3]))
        let kept = graph.apply("Cast", wide, with: ["to": .integer(9)])
        return graph.apply(
            "Where", graph.apply("And", seen, kept), graph.constant(0), graph.constant(-1e30))
    }

    private mutating func decoderLayer(
        _ entering: ONNXGraph.Value, _ index: Int, _ shared: Shared
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let (layer, prefix) = (shape.layers[index], names.layerPrefix(index))
        var x = entering
        if layer.queryHeads > 0 {
            let normed = try normalise(x, prefix + names.attentionNorm)
            x = graph.apply("Add", x, try attention(normed, index, shared))
        }
        if layer.feedForward > 0 {
            let normed = try normalise(x, prefix + names.feedForwardNorm)
            let (hidden, width) = (shape.hiddenSize, layer.feedForward)
            var inner = try linear(normed, prefix + names.up, inputs: hidden, outputs: width)
            if let gate = names.gate {
                let opened = try linear(normed, prefix + gate, inputs: hidden, outputs: width)
                let silu = graph.apply("Mul", opened, graph.apply("Sigmoid", opened))
                inner = graph.apply("Mul", silu, inner)
            } else {
                inner =
                    shape.architecture == .opt ? graph.apply("Relu", inner) : tanhGELU(inner)
            }
            let down = try linear(inner, prefix + names.down, inputs: width, outputs: hidden)
            x = graph.apply("Add", x, down)
        }
        return x
    }

    /// The queries of a group lie one after another, so that a group is one product with its keys.
    private mutating func attention(
        _ x: ONNXGraph.Value, _ index: Int, _ shared: Shared
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let (layer, prefix) = (shape.layers[index], names.layerPrefix(index))
        let (hidden, width) = (shape.hiddenSize, shape.headDimension)
        let (queries, groups) = (layer.queryHeads, layer.keyValueHeads)
        let parts = try queriesKeysValues(x, index)
        let turned = rotated(
            try headNorm(heads(parts[0], split: shared.split), names.queryNorm.map { prefix + $0 }),
            shared)
        let ownKeys = rotated(
            try headNorm(heads(parts[1], split: shared.split), names.keyNorm.map { prefix + $0 }),
            shared)
        let keys = cached(ownKeys, "key", index)
        let values = cached(heads(parts[2], split: shared.split), "value", index)

        // A head of a group sees keys and values of its group: [batch, groups, heads, tokens, width].
        let inGroups = joined(
            shared.batch, graph.constant([groups, queries / groups]), shared.length,
            graph.constant([width]))
        let alone = graph.constant([2])
        let turnedKeys = graph.apply("Transpose", keys, with: ["perm": .integers([0, 1, 3, 2])])
        let context = attend(
            graph.apply("Reshape", turned, inGroups), graph.apply("Unsqueeze", turnedKeys, alone),
            graph.apply("Unsqueeze", values, alone), mask: shared.mask)
        let asHeads = joined(
            shared.batch, graph.constant([queries]), shared.length, graph.constant([width]))
        return try linear(
            rows(graph.apply("Reshape", context, asHeads), width: queries * width),
            prefix + names.output, inputs: queries * width, outputs: hidden)
    }

    /// `x / (1 + exp(-2z))` with `z = √(2/π) (x + 0.044715 x³)`.
    private mutating func tanhGELU(_ x: ONNXGraph.Value) -> ONNXGraph.Value {
        let root = (2 / Float.pi).squareRoot()
        let square = graph.apply("Mul", x, x)
        let bent = graph.apply(
            "Add", graph.apply("Mul", square, graph.constant(2 * root * 0.044715)),
            graph.constant(2 * root))
        return graph.apply("Mul", x, graph.apply("Sigmoid", graph.apply("Mul", x, bent)))
    }

    /// Turns the two halves of each head against each other, where positions do that.
    private mutating func rotated(_ x: ONNXGraph.Value, _ shared: Shared) -> ONNXGraph.Value {
        guard let (cosines, sines) = shared.rotations else { return x }
        let halves = graph.apply("Split", [x], results: 2, with: ["axis": .integer(-1)])
        let (a, b) = (halves[0], halves[1])
        let first = graph.apply(
            "Sub", graph.apply("Mul", a, cosines), graph.apply("Mul", b, sines))
        let second = graph.apply(
            "Add", graph.apply("Mul", b, cosines), graph.apply("Mul", a, sines))
        return graph.apply("Concat", [first, second], results: 1, with: ["axis": .integer(-1)])[0]
    }

    /// Keys or values behind those of earlier tokens; all of them become an output.
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

    /// The norm of every head, where there is one.
    private mutating func headNorm(
        _ x: ONNXGraph.Value, _ name: String?
    ) throws(ModelFileError) -> ONNXGraph.Value {
        guard let name else { return x }
        return try normalise(x, name, width: shape.headDimension)
    }
}
