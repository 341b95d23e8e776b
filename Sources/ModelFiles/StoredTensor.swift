import Tensors

/// The location of a tensor in a file.
///
/// The bytes are within the file.
public struct StoredTensor: Sendable {
    let file: InputFile
    /// The type in which the elements are stored.
    public let type: StoredType
    /// The sizes, the slowest-varying first (GGML's `ne` reversed).
    let shape: [Int]
    let bytes: Range<Int>
    /// The tensor of the scales of the rows, if the elements are integers; otherwise empty.
    ///
    /// An element is its integer times the scale of its row.
    var rowScales: [StoredTensor] = []

    /// Whether the elements can be read as floats.
    public var holdsFloats: Bool { type.numbers?.isFloat == true || !rowScales.isEmpty }

    /// Returns the number of elements of a shape, and the number of their bytes in a type.
    ///
    /// The result is nil if a number overflows, or if the elements do not fill complete blocks of
    /// the type.
    static func size(of shape: [Int], as type: StoredType) -> (count: Int, bytes: Int)? {
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard size >= 0, !overflow else { return nil }
            count = product
        }
        return type.byteCount(of: count).map { (count, $0) }
    }

    /// Reads the elements and converts them to floats.
    func floats(named name: String) throws(ModelFileError) -> [Float] {
        if let scales = rowScales.first { return try floats(scaledBy: scales, named: name) }
        guard let type = type.numbers, type.isFloat else {
            throw ModelFileError(
                file: file.path, subject: "tensor \(quoted(name))",
                problem: "it is stored as \(type.name), which is not supported",
                remedy: "convert the model to F32, F16, BF16, Q8_0, Q4_0 to Q5_1 or Q2_K to Q6_K")
        }
        var floats: [Float] = []
        floats.reserveCapacity(bytes.count / type.bytesPerBlock * type.blockSize)
        try file.visit(bytes, inMultiplesOf: type.bytesPerBlock) { floats += type.floats(from: $0) }
        return floats
    }
}

extension StoredTensor {
    /// The elements of a matrix of bytes, each multiplied by the scale of its row.
    private func floats(
        scaledBy scales: StoredTensor, named name: String
    ) throws(ModelFileError) -> [Float] {
        let factors = try scales.floats(named: name)
        guard let width = shape.last, width > 0 else { return [] }
        return try file.bytes(in: bytes).enumerated().map { index, code in
            Float(Int8(bitPattern: code)) * factors[index / width]
        }
    }

    /// Returns whether another tensor has the same shape, type and bytes.
    func isStored(as other: StoredTensor) throws(ModelFileError) -> Bool {
        guard type == other.type, shape == other.shape else { return false }
        let step = 1 << 20
        for start in stride(from: 0, to: bytes.count, by: step) {
            let count = Swift.min(step, bytes.count - start)
            func piece(_ tensor: StoredTensor) throws(ModelFileError) -> [UInt8] {
                let first = tensor.bytes.lowerBound + start
                return try tensor.file.bytes(in: first..<first + count)
            }
            guard try piece(self) == piece(other) else { return false }
        }
        return true
    }
}
