internal import ModelFiles
internal import Tensors
internal import Transformers

/// Weights in the formats in which they are stored, and the products with them.
///
/// Matrices in 8 bits are multiplied by activations in 8 bits. Matrices in 4 bits are multiplied by f32
/// activations, in an operator of ONNX Runtime. Floats of 16 bits are converted to f32, which ONNX
/// Runtime does once, when it loads the graph.
extension ONNXModel {
    /// Activations in 8 bits: `x ≈ scale · (codes − zero)`, with one scale for all rows.
    struct RoundedActivations {
        let codes: ONNXGraph.Value
        let scale: ONNXGraph.Value
        let zero: ONNXGraph.Value
    }

    /// Returns the weights with a name as floats, or the first part of them if the shape is smaller.
    mutating func weights(_ name: String, _ shape: [Int]) throws(ModelFileError) -> ONNXGraph.Value
    {
        guard file.type(of: name) != .f32 else { return try stored(name, shape) }
        if let known = widened[name] { return known }
        let value = floats(try stored(name, shape, types: [.f16, .bf16]))
        widened[name] = value
        return value
    }

    /// Returns `x · Wᵀ + b`, or `x · Wᵀ` if there is no bias; `x` has two dimensions.
    mutating func linear(
        _ x: ONNXGraph.Value, _ name: String, inputs: Int, outputs: Int
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let bias = name + ".bias"
        return try product(
            x, name + ".weight", bias: file.shape(of: bias) == nil ? nil : bias, inputs: inputs,
            outputs: outputs, storesInputsFirst: names.storesInputsFirst)
    }

    /// Returns `x · Wᵀ + b`, or `x · Wᵀ` if there is no bias.
    ///
    /// - Parameters:
    ///   - x: Rows of inputs.
    ///   - weight: The name of the matrix.
    ///   - bias: The name of the bias; nil if there is none.
    ///   - inputs: The number of inputs.
    ///   - outputs: The number of outputs.
    ///   - storesInputsFirst: Whether floats are stored as `[inputs, outputs]`. Integers are always
    ///     stored as `[outputs, inputs]`.
    /// - Returns: Rows of outputs.
    /// - Throws: `ModelFileError` if weights are missing.
    mutating func product(
        _ x: ONNXGraph.Value, _ weight: String, bias: String? = nil, inputs: Int, outputs: Int,
        storesInputsFirst: Bool = false
    ) throws(ModelFileError) -> ONNXGraph.Value {
        switch file.type(of: weight) {
        case .i8: return try int8Product(x, weight, bias: bias, inputs: inputs, outputs: outputs)
        case .q40: return try int4Product(x, weight, bias: bias, inputs: inputs, outputs: outputs)
        default: break
        }
        let sizes = storesInputsFirst ? [inputs, outputs] : [outputs, inputs]
        var operands = [x, try weights(weight, sizes)]
        if let bias { operands.append(try weights(bias, [outputs])) }
        return graph.apply(
            "Gemm", operands, results: 1,
            with: ["transB": .integer(storesInputsFirst ? 0 : 1)])[0]
    }

    /// Returns the token embeddings of ids.
    mutating func tokenEmbeddings(
        _ ids: ONNXGraph.Value
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let (name, rows) = (names.tokens + ".weight", shape.vocabularySize)
        if file.type(of: name) == .q40 {
            return try int4Rows(ids, of: name, rows: rows, columns: shape.hiddenSize)
        }
        let table = try stored(name, [rows, shape.hiddenSize], types: [.f32, .f16, .bf16, .i8])
        let found = graph.apply("Gather", table, ids)
        guard file.type(of: name) != .f32 else { return found }
        let numbers = floats(found)
        guard file.type(of: name) == .i8 else { return numbers }
        let scales = graph.apply("Gather", try scales(of: name, rows: rows), ids)
        return graph.apply(
            "Mul", numbers, graph.apply("Unsqueeze", scales, graph.constant([-1])))
    }

    /// The product with a matrix in 8 bits, whose rows have scales.
    ///
    /// ONNX Runtime fuses these operators into `DynamicQuantizeMatMul` or `MatMulIntegerToFloat`. The
    /// codes are shifted to unsigned bytes, once when the graph is loaded: without VNNI, sums of
    /// products of unsigned and signed bytes saturate in ONNX Runtime, and the result is wrong.
    private mutating func int8Product(
        _ x: ONNXGraph.Value, _ weight: String, bias: String?, inputs: Int, outputs: Int
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let x = rounded(x)
        let signed = graph.apply(
            "Transpose", try stored(weight, [outputs, inputs], types: [.i8]),
            with: ["perm": .integers([1, 0])])
        let codes = graph.apply(
            "Cast", graph.apply("Add", floats(signed), graph.constant(Float(Self.zeroCode))),
            with: ["to": .integer(ONNXGraph.ElementType.uint8.rawValue)])
        let zero = graph.constant(byte: Self.zeroCode)
        let sums = floats(graph.apply("MatMulInteger", x.codes, codes, x.zero, zero))
        let scales = graph.apply("Mul", x.scale, try scales(of: weight, rows: outputs))
        let product = graph.apply("Mul", sums, scales)
        guard let bias else { return product }
        return graph.apply("Add", product, try weights(bias, [outputs]))
    }

    /// The unsigned byte that stands for a weight of 0.
    private static let zeroCode: UInt8 = 128

    /// Rounds activations to 8 bits; projections with the same input share the result.
    private mutating func rounded(_ x: ONNXGraph.Value) -> RoundedActivations {
        if let known = rounded[x] { return known }
        let parts = graph.apply("DynamicQuantizeLinear", [x], results: 3)
        let activations = RoundedActivations(codes: parts[0], scale: parts[1], zero: parts[2])
        rounded[x] = activations
        return activations
    }

    /// The product with a matrix in 4 bits, whose groups of inputs have scales.
    ///
    /// Without a zero point, a code of 8 is 0. Activations are f32.
    private mutating func int4Product(
        _ x: ONNXGraph.Value, _ weight: String, bias: String?, inputs: Int, outputs: Int
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let matrix = try int4Matrix(weight, rows: outputs, columns: inputs)
        var operands = [x, matrix.codes, matrix.scales]
        // The bias comes after a zero point and an index of groups.
        if let bias { operands += [.absent, .absent, try weights(bias, [outputs])] }
        return graph.apply(
            "MatMulNBits", operands, results: 1,
            with: [
                "K": .integer(inputs), "N": .integer(outputs), "bits": .integer(4),
                "block_size": .integer(Int4Matrix.group),
            ], in: .onnxRuntime)[0]
    }

    /// Returns the codes of a matrix in 4 bits, `[rows, groups, bytes]`, and its scales,
    /// `[rows, groups]`.
    private mutating func int4Matrix(
        _ name: String, rows: Int, columns: Int
    ) throws(ModelFileError) -> (codes: ONNXGraph.Value, scales: ONNXGraph.Value) {
        let nameOfScales = name + IntegerTensors.scaleSuffix
        if let codes = known[name], let scales = known[nameOfScales] { return (codes, scales) }
        guard file.shape(of: name) == [rows, columns] else {
            throw mismatch(name, [rows, columns], types: [.q40])
        }
        let group = Int4Matrix.group
        let places = blocks.add(name, rows: rows, columns: columns)
        let codes = graph.weights(
            name, .uint8, shape: [rows, columns / group, group / 2], at: places.codes)
        let scales = graph.weights(
            nameOfScales, shape: [rows, columns / group], at: places.scales)
        (known[name], known[nameOfScales]) = (codes, scales)
        return (codes, scales)
    }

    /// Returns the rows of a matrix in 4 bits with these indices, as floats.
    ///
    /// A byte has the code of an even column in its lower half and that of the next column in its
    /// upper half. The matrix shares its memory with the products that use it.
    private mutating func int4Rows(
        _ indices: ONNXGraph.Value, of name: String, rows: Int, columns: Int
    ) throws(ModelFileError) -> ONNXGraph.Value {
        let matrix = try int4Matrix(name, rows: rows, columns: columns)
        let bytes = floats(graph.apply("Gather", matrix.codes, indices))
        let upper = graph.apply("Floor", graph.apply("Div", bytes, graph.constant(Float(16))))
        let lower = graph.apply(
            "Sub", bytes, graph.apply("Mul", upper, graph.constant(Float(16))))
        let last = graph.constant([-1])
        let pairs = graph.apply(
            "Concat",
            [graph.apply("Unsqueeze", lower, last), graph.apply("Unsqueeze", upper, last)],
            results: 1, with: ["axis": .integer(-1)])[0]
        // Two sequence dimensions at most stand before the groups: 0 keeps a dimension.
        let groups = columns / Int4Matrix.group
        let codes = graph.apply(
            "Reshape", pairs, graph.constant([0, 0, groups, Int4Matrix.group]))
        let scales = graph.apply(
            "Unsqueeze", graph.apply("Gather", matrix.scales, indices), last)
        let numbers = graph.apply(
            "Mul", graph.apply("Sub", codes, graph.constant(Float(8))), scales)
        return graph.apply("Reshape", numbers, graph.constant([0, 0, columns]))
    }

    private mutating func floats(_ x: ONNXGraph.Value) -> ONNXGraph.Value {
        graph.apply("Cast", x, with: ["to": .integer(ONNXGraph.ElementType.float.rawValue)])
    }

    private mutating func scales(
        of name: String, rows: Int
    ) throws(ModelFileError) -> ONNXGraph.Value {
        try stored(name + IntegerTensors.scaleSuffix, [rows])
    }

    /// Returns a tensor in its stored type, or the first part of it if the shape is smaller.
    private mutating func stored(
        _ name: String, _ shape: [Int], types: [DType] = [.f32]
    ) throws(ModelFileError) -> ONNXGraph.Value {
        if let known = known[name] { return known }
        let place = try places.place(of: name)
        guard let type = places.type(of: name), types.contains(type), let element = type.element,
            let length = type.byteCount(of: shape.reduce(1, *)), length <= place.bytes.count
        else { throw mismatch(name, shape, types: types) }
        let value = graph.weights(
            name, element, shape: shape,
            at: ONNXGraph.Place(
                file: place.file, offset: place.bytes.lowerBound, length: length))
        known[name] = value
        return value
    }

    private func mismatch(_ name: String, _ shape: [Int], types: [DType]) -> ModelFileError {
        ModelFileError(
            file: file.path, subject: "tensor \(name)",
            problem: "it is not a tensor of type \(types.map(\.rawValue).joined(separator: ", ")) "
                + "with at least the shape \(shape)",
            remedy: "use the configuration that belongs to these weights")
    }
}

extension DType {
    /// The type in a graph; nil if no weights of graphs have this type.
    fileprivate var element: ONNXGraph.ElementType? {
        switch self {
        case .f32: .float
        case .f16: .float16
        case .bf16: .bfloat16
        case .i8: .int8
        default: nil
        }
    }
}
