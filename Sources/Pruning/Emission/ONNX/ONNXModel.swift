internal import Foundation
public import ModelFiles
public import Transformers

/// Writes a model as an ONNX graph beside the safetensors files of its weights.
///
/// The batch size and the sequence length are dynamic. The inputs of encoders are `input_ids`,
/// `attention_mask` and `token_type_ids`. Their output is `last_hidden_state`, or the outputs of
/// their head: `logits`, or `start_logits` and `end_logits`. The inputs of decoders are
/// `input_ids`, `attention_mask`, `position_ids` and `past_key_values.N.key` and `.value`. Their
/// outputs are `logits` and `present.N.key` and `.value`. Layers without attention have no keys and
/// values. These are the names in Hugging Face's own exports.
///
/// Matrices keep the formats in which they are stored. Those in 8 bits are multiplied as integers, and
/// those in 4 bits by ONNX Runtime's own operator `MatMulNBits`.
public struct ONNXModel {
    /// The name of the graph's file in a model's directory.
    public static let fileName = "model.onnx"

    var graph = ONNXGraph()
    /// A decoder's keys and values, which become outputs after the logits.
    var cache: [(name: String, value: ONNXGraph.Value, sizes: [ONNXGraph.Dimension])] = []
    /// The weights that are already in the graph, by name.
    var known: [String: ONNXGraph.Value] = [:]
    /// The floats of weights that are stored in 16 bits, by name.
    var widened: [String: ONNXGraph.Value] = [:]
    /// The activations that are already rounded to 8 bits.
    var rounded: [ONNXGraph.Value: RoundedActivations] = [:]
    /// The matrices in 4 bits, which have a file of their own.
    var blocks: ONNXBlocks
    let shape: ModelShape
    let names: TensorNames
    /// The tensors as Espalier reads them.
    let file: IntegerTensors
    /// The places of the tensors.
    let places: SafetensorsFile
    /// An encoder's head.
    let head: TaskHead
    /// The outputs of the head; empty without a head.
    let outputs: [TaskHead.Output]

    /// Prepares a graph.
    ///
    /// - Parameters:
    ///   - shape: The model's sizes. If they are smaller than the weights' sizes, each weight uses
    ///     the first bytes of its tensor, which is useful for timing only.
    ///   - directory: The directory of the weights.
    ///   - names: The names of the tensors.
    ///   - head: An encoder's head.
    ///   - outputs: The outputs of the head; empty without a head.
    ///   - blocksName: The name of the file for matrices in 4 bits.
    /// - Throws: `ModelFileError` if the file cannot be read.
    init(
        _ shape: ModelShape, in directory: String, names: TensorNames, head: TaskHead,
        outputs: [TaskHead.Output], blocksName: String
    ) throws(ModelFileError) {
        self.shape = shape
        self.names = names
        self.head = head
        self.outputs = outputs
        places = try SafetensorsFile(path: directory)
        file = IntegerTensors(places)
        blocks = ONNXBlocks(fileName: blocksName)
    }

    /// Writes a graph into the directory of its weights.
    ///
    /// Matrices in 4 bits are also written, in the order in which ONNX Runtime reads them. Their
    /// file has the name of the graph with the ending `.data`. All other weights are read from the
    /// safetensors files.
    ///
    /// - Parameters:
    ///   - shape: The model's sizes; if they are smaller than the weights' sizes, the graph is
    ///     useful for timing only.
    ///   - directory: The directory of the weights.
    ///   - names: The names of the tensors.
    ///   - head: An encoder's head.
    ///   - outputs: The outputs of the head; empty without a head.
    ///   - fileName: The name of the graph's file.
    /// - Throws: `ModelFileError` if weights are missing or a file cannot be written.
    public static func write(
        _ shape: ModelShape, in directory: String, names: TensorNames, head: TaskHead = .base,
        outputs: [TaskHead.Output] = [], as fileName: String = Self.fileName
    ) throws(ModelFileError) {
        var model = try ONNXModel(
            shape, in: directory, names: names, head: head, outputs: outputs,
            blocksName: fileName + ".data")
        if shape.architecture.isEncoder {
            try model.addEncoder()
        } else {
            try model.addDecoder()
        }
        try model.blocks.write(from: model.file, to: directory)
        try AtomicFile.write(
            model.graph.encoded(name: shape.architecture.name),
            to: directory + "/" + fileName)
    }

    /// Returns the queries, keys and values of rows; `x` has two dimensions.
    mutating func queriesKeysValues(
        _ x: ONNXGraph.Value, _ index: Int
    ) throws(ModelFileError) -> [ONNXGraph.Value] {
        let (layer, prefix) = (shape.layers[index], names.layerPrefix(index))
        let widths = [layer.queryHeads, layer.keyValueHeads, layer.keyValueHeads].map {
            $0 * shape.headDimension
        }
        guard names.query != names.key else {
            let all = try linear(
                x, prefix + names.query, inputs: shape.hiddenSize, outputs: widths.reduce(0, +))
            guard !names.interleavesHeads else { return apart(all, heads: layer.queryHeads) }
            return graph.apply(
                "Split", [all, graph.constant(widths)], results: 3, with: ["axis": .integer(-1)])
        }
        var parts: [ONNXGraph.Value] = []
        for (name, width) in zip([names.query, names.key, names.value], widths) {
            parts.append(
                try linear(x, prefix + name, inputs: shape.hiddenSize, outputs: width))
        }
        return parts
    }

    /// The queries, keys and values of rows that have those of one head after another.
    private mutating func apart(_ x: ONNXGraph.Value, heads: Int) -> [ONNXGraph.Value] {
        let width = shape.headDimension
        let inHeads = graph.apply("Reshape", x, graph.constant([-1, heads, 3, width]))
        let parts = graph.apply("Split", [inHeads], results: 3, with: ["axis": .integer(2)])
        return parts.map { graph.apply("Reshape", $0, graph.constant([-1, heads * width])) }
    }

    /// Returns the normalised rows, with the architecture's kind of norm.
    mutating func normalise(
        _ x: ONNXGraph.Value, _ name: String
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let kind = shape.architecture.layer.norm
        guard kind.isCentred else { return try rmsNorm(x, name, width: shape.hiddenSize) }
        var operands = [x, try factors(name, width: shape.hiddenSize)]
        if kind.hasBias { operands.append(try weights(name + ".bias", [shape.hiddenSize])) }
        return graph.apply(
            "LayerNormalization", operands, results: 1,
            with: ["axis": .integer(-1), "epsilon": .float(shape.normEpsilon)])[0]
    }

    /// Returns the factors of a norm: its weight, or its weight plus 1.
    private mutating func factors(
        _ name: String, width: Int
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let stored = try weights(name + ".weight", [width])
        guard shape.architecture.layer.norm.addsOne else { return stored }
        return graph.apply("Add", stored, graph.constant(1))
    }

    /// RMSNorm over the last dimension.
    mutating func rmsNorm(
        _ x: ONNXGraph.Value, _ name: String, width: Int
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let scale = try factors(name, width: width)
        let squares = graph.apply("Mul", x, x)
        let mean = graph.apply("ReduceMean", squares, with: ["axes": .integers([-1])])
        let root = graph.apply(
            "Sqrt", graph.apply("Add", mean, graph.constant(shape.normEpsilon)))
        return graph.apply("Mul", graph.apply("Div", x, root), scale)
    }

    /// Returns a value times a factor.
    mutating func scaled(_ x: ONNXGraph.Value, by factor: Float) -> ONNXGraph.Value {
        factor == 1 ? x : graph.apply("Mul", x, graph.constant(factor))
    }

    /// Returns `cap · tanh(x / cap)`, or the value itself if there is no cap.
    mutating func capped(_ x: ONNXGraph.Value, at cap: Float?) -> ONNXGraph.Value {
        guard let cap else { return x }
        let share = graph.apply("Div", x, graph.constant(cap))
        return graph.apply("Mul", graph.apply("Tanh", share), graph.constant(cap))
    }

    /// The size of a dimension of a value, as a vector with one element.
    mutating func size(of value: ONNXGraph.Value, _ axis: Int) -> ONNXGraph.Value {
        graph.apply(
            "Shape", value, with: ["start": .integer(axis), "end": .integer(axis + 1)])
    }

    /// The concatenation of vectors.
    mutating func joined(_ parts: ONNXGraph.Value...) -> ONNXGraph.Value {
        graph.apply("Concat", parts, results: 1, with: ["axis": .integer(0)])[0]
    }

    /// The heads of rows, `[batch · tokens, heads · width]`, as `[batch, heads, tokens, width]`.
    mutating func heads(
        _ rows: ONNXGraph.Value, split: ONNXGraph.Value, order: [Int] = [0, 2, 1, 3]
    ) -> ONNXGraph.Value {
        let parts = graph.apply("Reshape", rows, split)
        return graph.apply("Transpose", parts, with: ["perm": .integers(order)])
    }

    /// The heads of each token concatenated into rows.
    mutating func rows(
        _ heads: ONNXGraph.Value, width: Int
    ) -> ONNXGraph.Value {
        let transposed = graph.apply("Transpose", heads, with: ["perm": .integers([0, 2, 1, 3])])
        return graph.apply("Reshape", transposed, graph.constant([-1, width]))
    }

    /// `softmax(q · k + biases + mask) · v`; terms that are nil are left out.
    ///
    /// The keys are already transposed.
    mutating func attend(
        _ queries: ONNXGraph.Value, _ transposedKeys: ONNXGraph.Value, _ values: ONNXGraph.Value,
        biases: ONNXGraph.Value?, mask: ONNXGraph.Value?
    ) -> ONNXGraph.Value {
        let scale = graph.constant(
            shape.usedFactors.scores ?? 1 / Float(shape.headDimension).squareRoot())
        let products = graph.apply("MatMul", queries, transposedKeys)
        var scores = capped(graph.apply("Mul", products, scale), at: shape.factors?.scoreCap)
        for term in [biases, mask].compactMap(\.self) { scores = graph.apply("Add", scores, term) }
        let shares = graph.apply("Softmax", scores, with: ["axis": .integer(-1)])
        return graph.apply("MatMul", shares, values)
    }
}
