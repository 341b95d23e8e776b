/// One message in the wire format of protocol buffers; fields are added in order.
///
/// Format: protobuf.dev/programming-guides/encoding.
struct ProtobufMessage: Sendable {
    private(set) var bytes: [UInt8] = []

    /// Adds a 64-bit integer.
    mutating func add(_ field: Int, _ value: Int) {
        tag(field, wireType: 0)
        variable(UInt64(bitPattern: Int64(value)))
    }

    /// Adds a 32-bit float.
    mutating func add(_ field: Int, _ value: Float) {
        tag(field, wireType: 5)
        let bits = value.bitPattern
        for shift in [0, 8, 16, 24] as [UInt32] {
            bytes.append(UInt8(truncatingIfNeeded: bits >> shift))
        }
    }

    /// Adds a string.
    mutating func add(_ field: Int, _ text: String) { add(field, bytes: Array(text.utf8)) }

    /// Adds a nested message.
    mutating func add(_ field: Int, _ message: ProtobufMessage) { add(field, bytes: message.bytes) }

    /// Adds bytes.
    mutating func add(_ field: Int, bytes content: [UInt8]) {
        tag(field, wireType: 2)
        variable(UInt64(content.count))
        bytes += content
    }

    private mutating func tag(_ field: Int, wireType: UInt64) {
        variable(UInt64(field) << 3 | wireType)
    }

    /// Appends a variable-length integer.
    ///
    /// Each byte has seven bits, the lowest first. All bytes except the last have their top bit
    /// set.
    private mutating func variable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
