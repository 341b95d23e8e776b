public import Tensors

/// Named tensors that are read one at a time from a file of any format.
public protocol TensorFile: Sendable {
    /// The path of the file, for error messages.
    var path: String { get }

    /// The names of all tensors, sorted.
    var names: [String] { get }

    /// Returns the location of a tensor; nil if there is no tensor with that name.
    func tensor(named name: String) -> StoredTensor?
}

extension TensorFile {
    /// Returns the sizes of a tensor, the slowest-varying first; nil if there is no tensor with
    /// that name.
    public func shape(of name: String) -> [Int]? { tensor(named: name)?.shape }

    /// Returns the type in which a tensor is read; nil if it cannot be read or does not exist.
    public func type(of name: String) -> DType? { storedType(of: name)?.numbers }

    /// Returns the type in which a tensor is stored; nil if there is no tensor with that name.
    public func storedType(of name: String) -> StoredType? { tensor(named: name)?.type }

    /// Returns whether two tensors have the same shape, type and bytes.
    public func areStoredAlike(
        _ one: String, _ other: String
    ) throws(ModelFileError) -> Bool {
        guard let one = tensor(named: one), let other = tensor(named: other) else { return false }
        return try one.isStored(as: other)
    }

    /// Reads the elements of a tensor in row-major order as floats, which may be NaN or infinite.
    public func storedFloats(_ name: String) throws(ModelFileError) -> [Float] {
        guard let tensor = tensor(named: name) else { throw missing(name) }
        return try tensor.floats(named: name)
    }

    /// Reads the bytes of a tensor.
    public func storedBytes(_ name: String) throws(ModelFileError) -> [UInt8] {
        guard let tensor = tensor(named: name) else { throw missing(name) }
        return try tensor.file.bytes(in: tensor.bytes)
    }

    /// Reads the elements of a tensor in row-major order as floats, which must be finite.
    public func floats(_ name: String) throws(ModelFileError) -> [Float] {
        let floats = try storedFloats(name)
        guard let found = firstOutside(floats) else { return floats }
        throw ModelFileError(
            file: path, subject: "tensor \(quoted(name))",
            problem: "element \(found.position) is \(found.value), not a finite number",
            remedy: "the weights are damaged, or training diverged; use another checkpoint")
    }

    /// Reads the elements of a tensor that must have the given shape.
    public func floats(_ name: String, shape: [Int]) throws(ModelFileError) -> [Float] {
        guard let found = self.shape(of: name) else { throw missing(name) }
        guard found == shape else {
            throw ModelFileError(
                file: path, subject: "tensor \(quoted(name))",
                problem: "its shape is \(found), but the configuration requires \(shape)",
                remedy: "use the configuration that belongs to these weights")
        }
        return try floats(name)
    }

    /// Reads a tensor of two dimensions; the first dimension is the number of rows.
    public func matrix(_ name: String) throws(ModelFileError) -> Matrix<Float> {
        guard let shape = shape(of: name) else { throw missing(name) }
        guard shape.count == 2 else {
            throw ModelFileError(
                file: path, subject: "tensor \(quoted(name))",
                problem: "its shape is \(shape), which is not a matrix",
                remedy: "use the weights of a supported architecture")
        }
        return Matrix(rows: shape[0], columns: shape[1], elements: try floats(name))
    }

    /// Reads a matrix that must have the given shape.
    public func matrix(
        _ name: String, rows: Int, columns: Int
    ) throws(ModelFileError) -> Matrix<Float> {
        Matrix(
            rows: rows, columns: columns, elements: try floats(name, shape: [rows, columns]))
    }

    /// Returns the error for a missing tensor.
    ///
    /// - Parameter name: The tensor's name.
    /// - Returns: The error.
    public func missing(_ name: String) -> ModelFileError {
        ModelFileError(
            file: path, subject: "tensor \(quoted(name))",
            problem: "there is no tensor with this name",
            remedy: "use the weights that belong to the configuration")
    }
}

/// Opens a GGUF file, a safetensors file, its index, or a Hugging Face directory.
public func openTensorFile(_ path: String) throws(ModelFileError) -> any TensorFile {
    if FileKind(of: path) == .regular {
        let file = try InputFile(path: path)
        let start = try file.bytes(in: 0..<min(file.count, 4))
        if path.hasSuffix(".gguf") || start == Array("GGUF".utf8) {
            return try GGUFFile(file)
        }
    }
    return try SafetensorsFile(path: path)
}
