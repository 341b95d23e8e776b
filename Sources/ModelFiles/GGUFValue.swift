/// A value of a GGUF file's metadata.
///
/// The stored widths of numbers are not kept.
public enum GGUFValue: Sendable, Hashable {
    /// An integer of any width that fits in an `Int`.
    case integer(Int)
    /// A 64-bit integer above `Int.max`.
    case unsigned(UInt64)
    /// A 32-bit or 64-bit float.
    case number(Double)
    /// A boolean.
    case bool(Bool)
    /// A string.
    case string(String)
    /// An array of integers that all fit in an `Int`.
    case integers([Int])
    /// An array of 32-bit or 64-bit floats.
    case numbers([Double])
    /// An array of booleans.
    case bools([Bool])
    /// An array of strings.
    case strings([String])
    /// An array of arrays, or of 64-bit integers some of which are above `Int.max`.
    case array([GGUFValue])
}

extension GGUFValue {
    /// Reads a value of the type with the code `type`; `depth` arrays contain it.
    init(
        from reader: inout ByteReader, type: UInt32, depth: Int
    ) throws(ModelFileError) {
        switch type {
        case 0: self = .integer(Int(try reader.integer(UInt8.self)))
        case 1: self = .integer(Int(try reader.integer(Int8.self)))
        case 2: self = .integer(Int(try reader.integer(UInt16.self)))
        case 3: self = .integer(Int(try reader.integer(Int16.self)))
        case 4: self = .integer(Int(try reader.integer(UInt32.self)))
        case 5: self = .integer(Int(try reader.integer(Int32.self)))
        case 6: self = .number(Double(Float(bitPattern: try reader.integer())))
        case 7: self = .bool(try Self.bool(try reader.integer(), reader))
        case 8: self = .string(try reader.string())
        case 9: self = try Self.array(from: &reader, type: reader.integer(), depth: depth + 1)
        case 10:
            let value = try reader.integer(UInt64.self)
            self = Int(exactly: value).map(GGUFValue.integer) ?? .unsigned(value)
        case 11: self = .integer(Int(try reader.integer(Int64.self)))
        case 12: self = .number(Double(bitPattern: try reader.integer()))
        default: throw reader.fault("its type \(type) is unknown")
        }
    }

    private static func array(
        from reader: inout ByteReader, type: UInt32, depth: Int
    ) throws(ModelFileError) -> GGUFValue {
        guard depth <= 8 else { throw reader.fault("its arrays are nested deeper than 8") }
        switch type {
        case 0: return .integers(try elements(UInt8.self, from: &reader).map(Int.init))
        case 1: return .integers(try elements(Int8.self, from: &reader).map(Int.init))
        case 2: return .integers(try elements(UInt16.self, from: &reader).map(Int.init))
        case 3: return .integers(try elements(Int16.self, from: &reader).map(Int.init))
        case 4: return .integers(try elements(UInt32.self, from: &reader).map(Int.init))
        case 5: return .integers(try elements(Int32.self, from: &reader).map(Int.init))
        case 6:
            let bits = try elements(UInt32.self, from: &reader)
            return .numbers(bits.map { Double(Float(bitPattern: $0)) })
        case 7:
            var values: [Bool] = []
            for byte in try elements(UInt8.self, from: &reader) {
                values.append(try bool(byte, reader))
            }
            return .bools(values)
        case 8:
            var values: [String] = []
            for _ in 0..<(try reader.count(ofAtLeast: 8)) { values.append(try reader.string()) }
            return .strings(values)
        case 9:
            var values: [GGUFValue] = []
            for _ in 0..<(try reader.count(ofAtLeast: 12)) {
                values.append(try array(from: &reader, type: reader.integer(), depth: depth + 1))
            }
            return .array(values)
        case 10:
            let values = try elements(UInt64.self, from: &reader)
            let fitting = values.compactMap(Int.init(exactly:))
            if fitting.count == values.count { return .integers(fitting) }
            return .array(
                values.map { Int(exactly: $0).map(GGUFValue.integer) ?? .unsigned($0) })
        case 11: return .integers(try elements(Int64.self, from: &reader).map(Int.init))
        case 12:
            return .numbers(try elements(UInt64.self, from: &reader).map(Double.init(bitPattern:)))
        default: throw reader.fault("the type \(type) of its elements is unknown")
        }
    }

    /// Reads an array of integers after its length.
    private static func elements<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type, from reader: inout ByteReader
    ) throws(ModelFileError) -> [Value] {
        let size = MemoryLayout<Value>.size
        let count = try reader.count(ofAtLeast: size)
        let bytes = try reader.take(count * size)
        return (0..<count).map { bytes.span.integer(at: $0 * size) }
    }

    private static func bool(
        _ byte: UInt8, _ reader: ByteReader
    ) throws(ModelFileError) -> Bool {
        guard byte <= 1 else { throw reader.fault("a boolean is \(byte), not 0 or 1") }
        return byte == 1
    }
}
