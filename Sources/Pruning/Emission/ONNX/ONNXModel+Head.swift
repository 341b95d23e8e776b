internal import ModelFiles
internal import Transformers

/// The inputs of an encoder in ONNX, and the outputs of its head.
extension ONNXModel {
    /// The inputs of an encoder and the dimensions of its outputs.
    struct EncoderInputs {
        let ids: ONNXGraph.Value
        let mask: ONNXGraph.Value
        let types: ONNXGraph.Value
        /// The number of texts; if the head chooses between texts, also the number of choices.
        let counts: ONNXGraph.Value
        let dimensions: [ONNXGraph.Dimension]
        /// The number of sequences: texts times choices.
        let batch: ONNXGraph.Value
        let length: ONNXGraph.Value
    }

    /// Adds the inputs; they have a dimension for choices if the head chooses between texts.
    mutating func addTexts() -> EncoderInputs {
        let chooses = head == .choice
        let dimensions: [ONNXGraph.Dimension] =
            [.named("batch")] + (chooses ? [.named("choices")] : [])
        let sizes = dimensions + [.named("sequence")]
        var inputs = ["input_ids", "attention_mask", "token_type_ids"].map {
            graph.input($0, .int64, sizes)
        }
        let length = size(of: inputs[0], dimensions.count)
        let counts = graph.apply(
            "Shape", inputs[0], with: ["start": .integer(0), "end": .integer(dimensions.count)])
        if chooses {
            let flat = joined(graph.constant([-1]), length)
            inputs = inputs.map { graph.apply("Reshape", $0, flat) }
        }
        return EncoderInputs(
            ids: inputs[0], mask: inputs[1], types: inputs[2], counts: counts,
            dimensions: dimensions, batch: size(of: inputs[0], 0), length: length)
    }

    /// Adds the outputs of the head, or the last hidden states if there is no head.
    ///
    /// - Parameters:
    ///   - x: The last hidden states as rows.
    ///   - texts: The inputs of the encoder.
    /// - Throws: `ModelFileError` if weights are missing.
    mutating func addOutputs(
        _ x: ONNXGraph.Value, of texts: EncoderInputs
    ) throws(ModelFileError) {
        let hidden = shape.hiddenSize
        let states = graph.apply(
            "Reshape", x, joined(texts.batch, texts.length, graph.constant([hidden])))
        let ofTokens = texts.dimensions + [.named("sequence")]
        guard !outputs.isEmpty else {
            graph.output(states, as: "last_hidden_state", .float, ofTokens + [.fixed(hidden)])
            return
        }
        for output in outputs {
            var rows = x
            if output.isOfFirstToken {
                let first = graph.apply(
                    "Gather", states, graph.constant([0]), with: ["axis": .integer(1)])
                rows = graph.apply("Reshape", first, graph.constant([-1, hidden]))
            }
            let (logits, count) = try logits(output, of: rows)
            let (sizes, dimensions) =
                output.isOfFirstToken
                ? (texts.counts, texts.dimensions) : (joined(texts.counts, texts.length), ofTokens)
            if output.names.count > 1 {
                let apart = graph.apply(
                    "Split", [logits], results: count, with: ["axis": .integer(1)])
                for (name, part) in zip(output.names, apart) {
                    graph.output(
                        graph.apply("Reshape", part, sizes), as: name, .float, dimensions)
                }
            } else if head == .choice {
                graph.output(
                    graph.apply("Reshape", logits, sizes), as: output.names[0], .float, dimensions)
            } else {
                graph.output(
                    graph.apply("Reshape", logits, joined(sizes, graph.constant([count]))),
                    as: output.names[0], .float, dimensions + [.fixed(count)])
            }
        }
    }

    /// Returns the logits of rows, and the number of logits of a row.
    private mutating func logits(
        _ output: TaskHead.Output, of rows: ONNXGraph.Value
    ) throws(ModelFileError) -> (ONNXGraph.Value, Int) {
        let hidden = shape.hiddenSize
        var x = rows
        if let dense = output.dense {
            x = try linear(x, dense, inputs: hidden, outputs: hidden)
            switch output.activation {
            case .tanh: x = graph.apply("Tanh", x)
            case .relu: x = graph.apply("Relu", x)
            case .gelu: x = gelu(x)
            }
        }
        if let norm = output.norm { x = try normalise(x, norm) }
        let own = output.output + ".weight"
        let name = file.shape(of: own) == nil ? names.tokens + ".weight" : own
        let count = file.shape(of: name)?.first ?? 0
        let bias = output.biases.first { file.shape(of: $0) != nil }
        return (try product(x, name, bias: bias, inputs: hidden, outputs: count), count)
    }
}
