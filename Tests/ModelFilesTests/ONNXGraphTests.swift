import TestSupport
import Testing

@testable import ModelFiles

@Suite("ONNXGraph")
struct ONNXGraphTests {
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

        let model = try ProtobufFields(graph.encoded(name: "g"))
        #expect(model[1] == [.number(8)])
        let operators = try #require(try model.messages(8).first)
        #expect(operators[2] == [.number(UInt64(ONNXGraph.operatorSet))])
        let body = try #require(try model.messages(7).first)
        let nodes = try body.messages(1)
        #expect(nodes.flatMap { $0.texts(4) } == ["Gemm", "Transpose", "Reshape", "Identity"])
        #expect(nodes[0].texts(1) == ["x", "w"] && nodes[1].texts(1) == nodes[0].texts(2))
        #expect(nodes[3].texts(2) == ["y"])
        let attributes = try nodes[0].messages(5)
        #expect(attributes.flatMap { $0.texts(1) } == ["beta", "transB"])
        #expect(attributes[0][2] == [.bits(Float(-0.5).bitPattern)])
        #expect(attributes[0][20] == [.number(1)])
        #expect(attributes[1][3] == [.number(1)] && attributes[1][20] == [.number(2)])
        let order = try #require(try nodes[1].messages(5).first)
        #expect(order[8] == [.number(1), .number(0)] && order[20] == [.number(7)])

        let tensors = try body.messages(5)
        #expect(tensors.count == 2 && tensors[0].texts(8) == ["w"])
        #expect(tensors[0][1] == [.number(2), .number(300)] && tensors[0][14] == [.number(1)])
        let place = try tensors[0].messages(13).map { ($0.texts(1)[0], $0.texts(2)[0]) }
        #expect(
            Dictionary(uniqueKeysWithValues: place) == [
                "location": "model.safetensors", "offset": "8589934592", "length": "2400",
            ])
        let minusOne = [UInt8](repeating: 0xFF, count: 8)
        #expect(tensors[1][2] == [.number(7)])
        #expect(tensors[1][9] == [.bytes(minusOne + [4, 0, 0, 0, 0, 0, 0, 0])])
        #expect(try body.messages(11).flatMap { $0.texts(1) } == ["x"])
        #expect(try body.messages(12).flatMap { $0.texts(1) } == ["y"])
    }
}
