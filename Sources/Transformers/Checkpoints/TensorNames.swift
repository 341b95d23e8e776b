public import Tensors

/// The names of the tensors of a model in a file.
public struct TensorNames: Sendable {
    /// The prefix of the names of a layer's tensors.
    public internal(set) var layerPrefix: @Sendable (Int) -> String
    /// Whether projections are stored as `[inputs, outputs]`.
    public internal(set) var storesInputsFirst = false
    /// The query projection.
    ///
    /// The names from here to ``feedForwardOutputNorm`` come after ``layerPrefix``.
    ///
    /// If ``query``, ``key`` and ``value`` are equal, one tensor has these projections one after
    /// another.
    public internal(set) var query: String
    /// Whether a fused tensor has the query, key and value rows of the first head, then those of
    /// the next head, rather than all queries first.
    ///
    /// Layers then have as many key-value heads as query heads.
    public internal(set) var interleavesHeads = false
    /// The key projection.
    public internal(set) var key: String
    /// The value projection.
    public internal(set) var value: String
    /// The attention block's output projection.
    public internal(set) var output: String
    /// The norm of query heads, which only some models have; nil if no model with these names has
    /// it.
    public internal(set) var queryNorm: String?
    /// The norm of key heads, which the same models have.
    public internal(set) var keyNorm: String?
    /// The norm of the attention block's input, or of the sum after it; nil if there is none.
    public internal(set) var attentionNorm: String?
    /// The norm of the attention block's output; nil if there is none.
    public internal(set) var attentionOutputNorm: String?
    /// The feed-forward block's gate projection; nil if there is none.
    ///
    /// If it is equal to ``up``, one tensor has the gate projection and then the up projection.
    public internal(set) var gate: String?
    /// The feed-forward block's up projection.
    public internal(set) var up: String
    /// The feed-forward block's down projection.
    public internal(set) var down: String
    /// The norm of the feed-forward block's input, or of the sum after it; nil if there is none.
    public internal(set) var feedForwardNorm: String?
    /// The norm of the feed-forward block's output; nil if there is none.
    public internal(set) var feedForwardOutputNorm: String?
    /// The token embedding.
    public internal(set) var tokens: String
    /// The position embedding; nil if there is none.
    public internal(set) var positions: String?
    /// The token type embedding; nil if there is none.
    public internal(set) var types: String?
    /// The norm of the embeddings; nil if there is none.
    public internal(set) var embeddingNorm: String?
    /// The table of terms of attention scores; nil if there is none.
    public internal(set) var biases: String?
    /// The norm after the last layer; nil if there is none.
    public internal(set) var finalNorm: String?
    /// The output head; nil if there is none.
    public internal(set) var head: String?

    /// The names in GGUF files of the architectures `llama` and `deci`.
    public static let gguf = TensorNames(
        layerPrefix: { "blk.\($0)." },
        query: "attn_q", key: "attn_k", value: "attn_v", output: "attn_output",
        attentionNorm: "attn_norm", gate: "ffn_gate", up: "ffn_up", down: "ffn_down",
        feedForwardNorm: "ffn_norm", tokens: "token_embd", finalNorm: "output_norm",
        head: "output")
}

/// A tensor with its name in a checkpoint.
public struct NamedTensor: Sendable {
    /// The name, such as `model.norm.weight`.
    public let name: String
    /// The size of each dimension, the slowest-varying dimension first.
    public let shape: [Int]
    /// The elements in row-major order.
    public let elements: [Float]
    /// The format of a matrix of a linear layer; nil if it is stored as floats of the model's type.
    public var format: Precision?
    /// The codes of the elements if they are rounded to a grid, or nil.
    public let codes: CodedMatrix?

    /// Creates a tensor.
    public init(name: String, shape: [Int], elements: [Float], codes: CodedMatrix? = nil) {
        self.name = name
        self.shape = shape
        self.elements = elements
        self.codes = codes
    }
}

extension TensorNames {
    /// The stored row of each row of stacked queries, keys and values in a fused tensor.
    ///
    /// - Parameters:
    ///   - rows: The number of rows, which is a multiple of three heads.
    ///   - headDimension: The number of rows of a head.
    /// - Returns: The rows of all queries, then those of keys and of values.
    func interleavedRows(_ rows: Int, headDimension: Int) -> [Int] {
        (0..<3).flatMap { part in
            stride(from: part * headDimension, to: rows, by: 3 * headDimension)
                .flatMap { $0..<$0 + headDimension }
        }
    }

    /// The tensors of a layer, without those of removed branches.
    ///
    /// - Parameters:
    ///   - layer: The weights.
    ///   - index: The layer's index in the file.
    ///   - headDimension: The number of channels of a head.
    ///   - formats: The formats of the matrices; nil if they have none of their own.
    /// - Returns: The tensors.
    public func tensors(
        of layer: LayerWeights, at index: Int, headDimension: Int, formats: Formats.Layer? = nil
    ) -> [NamedTensor] {
        let prefix = layerPrefix(index)
        var tensors: [NamedTensor] = []
        func add(_ name: String?, _ norm: NormWeights?) {
            if let name { tensors += named(prefix + name, norm) }
        }
        func add(_ name: String, _ projection: Projection, _ format: Precision?) {
            tensors += stored(prefix + name, projection, format)
        }
        if let block = layer.attention {
            let format = formats?.attention
            if query == key {
                var fused = Projection(stacking: [block.query, block.key, block.value])
                if interleavesHeads {
                    let places = interleavedRows(
                        fused.weight.rows, headDimension: headDimension)
                    let order = places.indices.sorted { places[$0] < places[$1] }
                    fused = fused.selecting(rows: order)
                }
                add(query, fused, format)
            } else {
                add(query, block.query, format)
                add(key, block.key, format)
                add(value, block.value, format)
            }
            add(output, block.output, format)
            add(queryNorm, block.queryNorm)
            add(keyNorm, block.keyNorm)
        }
        add(attentionNorm, layer.attentionNorm)
        add(attentionOutputNorm, layer.attentionOutputNorm)
        if let block = layer.feedForward {
            let format = formats?.feedForward
            if gate == up {
                let parts = [block.gate, block.up].compactMap(\.self)
                add(up, Projection(stacking: parts), format)
            } else {
                if let gate, let projection = block.gate { add(gate, projection, format) }
                add(up, block.up, format)
            }
            add(down, block.down, format)
        }
        add(feedForwardNorm, layer.feedForwardNorm)
        add(feedForwardOutputNorm, layer.feedForwardOutputNorm)
        return tensors
    }

    /// The tensors of the embeddings.
    ///
    /// - Parameters:
    ///   - embeddings: The weights.
    ///   - tableFormat: The format of the token embedding; nil if it has none of its own.
    /// - Returns: The tensors.
    public func tensors(
        of embeddings: EmbeddingWeights, tableFormat: Precision? = nil
    ) -> [NamedTensor] {
        var tensors = named(
            tokens, Projection(head: embeddings.tokens, in: tableFormat), tableFormat)
        if let positions, let table = embeddings.positions {
            tensors += named(positions, Projection(weight: table))
        }
        if let types, let table = embeddings.types {
            tensors += named(types, Projection(weight: table))
        }
        if let embeddingNorm { tensors += named(embeddingNorm, embeddings.norm) }
        if let biases, let table = embeddings.biases {
            tensors += named(biases, Projection(weight: table))
        }
        return tensors
    }

    /// The tensors of the final norm and the output head.
    ///
    /// - Parameters:
    ///   - head: The weights.
    ///   - format: The format of the output head; nil if it has none of its own.
    /// - Returns: The tensors.
    public func tensors(of head: HeadWeights, format: Precision? = nil) -> [NamedTensor] {
        var tensors: [NamedTensor] = []
        if let finalNorm { tensors += named(finalNorm, head.norm) }
        if let name = self.head, let output = head.output {
            tensors += named(name, Projection(head: output, in: format), format)
        }
        return tensors
    }

    /// Whether projections in a format are stored as `[inputs, outputs]`.
    ///
    /// Integers have a scale for each output, so they are stored as `[outputs, inputs]`.
    func storesInputsFirst(in format: Precision?) -> Bool {
        storesInputsFirst && format?.isInteger != true
    }

    private func stored(
        _ name: String, _ projection: Projection, _ format: Precision?
    ) -> [NamedTensor] {
        guard storesInputsFirst(in: format) else { return named(name, projection, format) }
        return named(
            name, Projection(weight: projection.weight.transposed, bias: projection.bias), format)
    }

    private func named(
        _ name: String, _ projection: Projection, _ format: Precision? = nil
    ) -> [NamedTensor] {
        let weight = projection.weight
        var tensor = NamedTensor(
            name: name + ".weight", shape: [weight.rows, weight.columns],
            elements: weight.elements, codes: projection.codes)
        tensor.format = format
        return [tensor] + named(name + ".bias", projection.bias)
    }

    private func named(_ name: String, _ norm: NormWeights?) -> [NamedTensor] {
        named(name + ".weight", norm?.weight) + named(name + ".bias", norm?.bias)
    }

    private func named(_ name: String, _ values: [Float]?) -> [NamedTensor] {
        values.map { [NamedTensor(name: name, shape: [$0.count], elements: $0)] } ?? []
    }
}

extension Projection {
    /// Creates an output head, with its codes if its format has 4 bits.
    ///
    /// A weight that was rounded to 4 bits before keeps its values.
    fileprivate init(head weight: Matrix<Float>, in format: Precision?) {
        if format == .int4 {
            self.init(codes: CodedMatrix(Int4Matrix(rounding: weight, by: .leastSquares)))
        } else {
            self.init(weight: weight)
        }
    }
}
