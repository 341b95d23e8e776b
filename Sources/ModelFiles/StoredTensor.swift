import Tensors

/// A tensor's place in a file; made only where the bytes are known to lie in it.
struct StoredTensor {
    let file: MappedFile
    let type: DType
    /// The slowest-varying size first.
    let shape: [Int]
    let bytes: Range<Int>

    /// The number of elements of a shape and their bytes as a type, or nil where they overflow or
    /// do not fill the type's blocks.
    static func size(of shape: [Int], as type: DType) -> (count: Int, bytes: Int)? {
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard size >= 0, !overflow else { return nil }
            count = product
        }
        return type.byteCount(of: count).map { (count, $0) }
    }

    /// The elements, converted.
    func floats(named name: String) throws(ModelFileError) -> [Float] {
        guard type.isFloat else {
            throw ModelFileError(
                file: file.path, subject: "tensor \(quoted(name))",
                problem: "it holds \(type.rawValue), not floating-point numbers",
                remedy: "use weights stored as floats")
        }
        return file.withBytes(in: bytes) { stored in
            let floats = type.floats(from: stored)
            // A model may be larger than memory, and its tensors are read one after another.
            if stored.byteCount >= 1 << 20 { releasePages(of: stored) }
            return floats
        }
    }
}

extension [String: StoredTensor] {
    /// The elements of the tensor of a name.
    func floats(_ name: String, of file: some TensorFile) throws(ModelFileError) -> [Float] {
        guard let tensor = self[name] else { throw file.missing(name) }
        return try tensor.floats(named: name)
    }
}
