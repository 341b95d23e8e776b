/// The fields of a message in the protobuf wire format.
///
/// Format: protobuf.dev/programming-guides/encoding.
public struct ProtobufFields {
    /// A field of a message.
    public enum Field: Equatable, Sendable {
        /// A variable-length integer.
        case number(UInt64)
        /// 32 bits.
        case bits(UInt32)
        /// A text, a nested message or other bytes.
        case bytes([UInt8])
    }

    /// A message that does not have the expected form.
    public struct Malformed: Error {}

    private var fields: [Int: [Field]] = [:]

    /// Reads a message.
    public init(_ bytes: [UInt8]) throws {
        var place = 0
        func variable() throws -> UInt64 {
            var (value, shift) = (UInt64(0), UInt64(0))
            while place < bytes.count {
                let byte = bytes[place]
                place += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
            throw Malformed()
        }
        func next(_ count: UInt64) throws -> [UInt8] {
            guard count <= bytes.count - place else { throw Malformed() }
            defer { place += Int(count) }
            return Array(bytes[place..<place + Int(count)])
        }
        while place < bytes.count {
            let tag = try variable()
            let field: Field
            switch tag & 7 {
            case 0: field = .number(try variable())
            case 2: field = .bytes(try next(variable()))
            case 5:
                field = .bits(try next(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })
            default: throw Malformed()
            }
            fields[Int(tag >> 3), default: []].append(field)
        }
    }

    /// The values of a field; empty if the message does not have it.
    public subscript(_ field: Int) -> [Field] { fields[field] ?? [] }

    /// The messages in a field.
    public func messages(_ field: Int) throws -> [ProtobufFields] {
        try self[field].map {
            guard case .bytes(let bytes) = $0 else { throw Malformed() }
            return try ProtobufFields(bytes)
        }
    }

    /// The texts in a field.
    public func texts(_ field: Int) -> [String] {
        self[field].map {
            guard case .bytes(let bytes) = $0 else { return "" }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// The integers in a field.
    public func numbers(_ field: Int) -> [Int] {
        self[field].compactMap {
            guard case .number(let value) = $0 else { return nil }
            return Int(truncatingIfNeeded: value)
        }
    }
}
