import Tensors

/// The checked header of one safetensors file.
///
/// The file has eight bytes with the little-endian length of a JSON object, that object, and then
/// the tensors' bytes without gaps:
/// `{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}`.
struct SafetensorsHeader {
    /// The maximum length of a header, as in the `safetensors` library.
    static let maximumLength = 100_000_000

    let tensors: [String: StoredTensor]

    init(of file: InputFile) throws(ModelFileError) {
        guard file.count >= 8 else {
            throw ForeignFile.error(of: file)
                ?? ModelFileError(
                    file: file.path, subject: "header",
                    problem: "the file has \(file.count) bytes, too few for safetensors")
        }
        let start = try file.bytes(in: 0..<8)
        let length = start.span.integer(at: 0, as: UInt64.self)
        guard length <= UInt64(min(Self.maximumLength, file.count - 8)) else {
            throw ForeignFile.error(of: file)
                ?? ModelFileError(
                    file: file.path, subject: "header",
                    problem: "its length \(length) exceeds the file of \(file.count) bytes or the "
                        + "format's limit \(Self.maximumLength)")
        }
        let dataStart = 8 + Int(length)
        let json = try JSONValue(parsing: try file.bytes(in: 8..<dataStart), file: file.path)
        guard let members = json.object else {
            throw ModelFileError(file: file.path, subject: "header", problem: "it is not an object")
        }
        var tensors: [String: StoredTensor] = [:]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) where name != "__metadata__" {
            do {
                tensors[name.text] = try Self.tensor(value, in: file, from: dataStart)
            } catch {
                throw ModelFileError(
                    file: file.path, subject: "tensor \(quoted(name.text))", problem: error.problem,
                    remedy: error.remedy)
            }
        }
        try Self.checkCoverage(of: tensors, from: dataStart, in: file)
        self.tensors = tensors
    }

    private struct Fault: Error {
        let problem: String
        var remedy = ModelFileError.damaged
    }

    /// Checks one member of the header against the file.
    private static func tensor(
        _ value: JSONValue, in file: InputFile, from start: Int
    ) throws(Fault) -> StoredTensor {
        guard let code = value.object?["dtype"]?.string else {
            throw Fault(problem: "its dtype is missing")
        }
        guard let type = StoredType(safetensors: code) else {
            throw Fault(
                problem: "its dtype \(quoted(code)) is unknown",
                remedy: "name a model whose weights are F32, F16 or BF16")
        }
        let shape = (value.object?["shape"]?.array ?? [.null]).compactMap(\.integer)
        guard shape.count == value.object?["shape"]?.array?.count,
            let size = StoredTensor.size(of: shape, as: type)
        else { throw Fault(problem: "its shape is missing, negative or too large") }
        let offsets = (value.object?["data_offsets"]?.array ?? []).compactMap(\.integer)
        guard offsets.count == 2, value.object?["data_offsets"]?.array?.count == 2,
            0 <= offsets[0], offsets[0] <= offsets[1], offsets[1] <= file.count - start
        else { throw Fault(problem: "its data_offsets are missing or outside the file") }
        guard offsets[1] - offsets[0] == size.bytes else {
            throw Fault(
                problem: "it has \(offsets[1] - offsets[0]) bytes, but shape \(shape) in \(code) "
                    + "has \(size.bytes)")
        }
        return StoredTensor(
            file: file, type: type, shape: shape, bytes: start + offsets[0]..<start + offsets[1])
    }

    /// Checks that the tensors fill the file from the header to its end, one after another.
    private static func checkCoverage(
        of tensors: [String: StoredTensor], from start: Int, in file: InputFile
    ) throws(ModelFileError) {
        var end = start
        let inOrder = tensors.sorted {
            ($0.value.bytes.lowerBound, $0.value.bytes.upperBound, $0.key)
                < ($1.value.bytes.lowerBound, $1.value.bytes.upperBound, $1.key)
        }
        for (name, tensor) in inOrder {
            guard tensor.bytes.lowerBound == end else {
                throw ModelFileError(
                    file: file.path, subject: "tensor \(quoted(name))",
                    problem: "it overlaps the previous tensor, or there is a gap between them")
            }
            end = tensor.bytes.upperBound
        }
        guard end == file.count else {
            throw ModelFileError(
                file: file.path, subject: "header",
                problem: "the tensors end at byte \(end), but the file ends at \(file.count)")
        }
    }
}

extension DType {
    /// The types that safetensors files name, and their names.
    private static let safetensorsNames: [(DType, String)] = [
        (.f64, "F64"), (.f32, "F32"), (.f16, "F16"), (.bf16, "BF16"), (.i64, "I64"),
        (.i32, "I32"), (.i16, "I16"), (.i8, "I8"), (.u64, "U64"), (.u32, "U32"), (.u16, "U16"),
        (.u8, "U8"), (.bool, "BOOL"),
    ]

    /// The type with a name from a safetensors header; nil if it is unknown.
    init?(safetensors name: String) {
        guard let pair = Self.safetensorsNames.first(where: { $0.1 == name }) else { return nil }
        self = pair.0
    }

    /// The name of the type in safetensors headers; nil for quantised types.
    var safetensorsName: String? {
        Self.safetensorsNames.first { $0.0 == self }?.1
    }
}
