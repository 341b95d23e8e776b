import Testing

@testable import ModelFiles

@Suite("ONNXGraph")
struct ONNXGraphTests {
    /// A field of a message in the protobuf wire format.
    private enum Field: Equatable {
        case number(UInt64)
        case bits(UInt32)
        case bytes([UInt8])
    }

    /// Returns the fields of a message; see protobuf.dev/programming-guides/encoding.
    private func fields(_ bytes: [UInt8]) throws -> [Int: [Field]] {
        var (result, place) = ([Int: [Field]](), 0)
        func variable() throws -> UInt64 {
            var (value, shift) = (UInt64(0), UInt64(0))
            while true {
                try #require(place < bytes.count)
                let byte = bytes[place]
                place += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
        }
        while place < bytes.count {
            let tag = try variable()
            switch tag & 7 {
            case 0: result[Int(tag >> 3), default: []].append(.number(try variable()))
            case 2:
                let count = Int(try variable())
                try #require(place + count <= bytes.count)
                result[Int(tag >> 3), default: []].append(
                    .bytes(Array(bytes[place..<place + count])))
                place += count
            default:
                try #require(tag & 7 == 5 && place + 4 <= bytes.count)
                let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << (8 * $1) }
                result[Int(tag >> 3), default: []].append(.bits(bits))
                place += 4
            }
        }
        return result
    }

    private func messages(_ message: [Int: [Field]], _ field: Int) throws -> [[Int: [Field]]] {
        try (message[field] ?? []).map {
            guard case .bytes(let bytes) = $0 else { throw WrongType() }
            return try fields(bytes)
        }
    }

    private struct WrongType: Error {}

    private func texts(_ message: [Int: [Field]], _ field: Int) -> [String] {
        (message[field] ?? []).map {
            guard case .bytes(let bytes) = $0 else { return "" }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    @Test("a reader of the wire format finds the graph that was built")
    func readBack() throws {
        var graph = ONNXGraph()
        let x = graph.input("x", .float, [.named("rows"), .fixed(300)])
        let w = graph.weights(
            "w", shape: [2, 300],
            at: ONNXGraph.Place(file: "model.safetensors", offset: 1 << 33, length: 2400))
        let y = graph.apply(
            "Gemm", x, w, with: ["transB": .integer(1), "beta": .float(-0.5)])
        let turned = graph.apply("Transpose", y, with: ["perm": .integers([1, 0])])
        let same = graph.constant([-1, 4])
        #expect(graph.constant([-1, 4]) == same)
        graph.output(graph.apply("Reshape", turned, same), as: "y", .float, [.named("n")])

        let model = try fields(graph.encoded(name: "g"))
        #expect(model[1] == [.number(8)])
        let operators = try #require(try messages(model, 8).first)
        #expect(operators[2] == [.number(UInt64(ONNXGraph.operatorSet))])
        let body = try #require(try messages(model, 7).first)
        let nodes = try messages(body, 1)
        #expect(nodes.flatMap { texts($0, 4) } == ["Gemm", "Transpose", "Reshape", "Identity"])
        #expect(texts(nodes[0], 1) == ["x", "w"] && texts(nodes[1], 1) == texts(nodes[0], 2))
        #expect(texts(nodes[3], 2) == ["y"])
        let attributes = try messages(nodes[0], 5)
        #expect(attributes.flatMap { texts($0, 1) } == ["beta", "transB"])
        #expect(attributes[0][2] == [.bits(Float(-0.5).bitPattern)])
        #expect(attributes[0][20] == [.number(1)])
        #expect(attributes[1][3] == [.number(1)] && attributes[1][20] == [.number(2)])
        let order = try #require(try messages(nodes[1], 5).first)
        #expect(order[8] == [.number(1), .number(0)] && order[20] == [.number(7)])

        let tensors = try messages(body, 5)
        #expect(tensors.count == 2 && texts(tensors[0], 8) == ["w"])
        #expect(tensors[0][1] == [.number(2), .number(300)] && tensors[0][14] == [.number(1)])
        let place = try messages(tensors[0], 13).map { (texts($0, 1)[0], texts($0, 2)[0]) }
        #expect(
            Dictionary(uniqueKeysWithValues: place) == [
                "location": "model.safetensors", "offset": "8589934592", "length": "2400",
            ])
        let minusOne = [UInt8](repeating: 0xFF, count: 8)
        #expect(tensors[1][2] == [.number(7)])
        #expect(tensors[1][9] == [.bytes(minusOne + [4, 0, 0, 0, 0, 0, 0, 0])])
        #expect(try messages(body, 11).flatMap { texts($0, 1) } == ["x"])
        #expect(try messages(body, 12).flatMap { texts($0, 1) } == ["y"])
    }
}
