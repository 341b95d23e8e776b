import Foundation
import Testing
import Transformers

@testable import Pruning

@Suite("LossTable")
struct OptimalBrainSurgeonLossTableTests {
    private let losses = ComponentLosses(
        removal: RemovalOrder(order: [2, 0, 1], increases: [1, 2, 3]), norm: 12)

    @Test("levels, errors and priors agree with the removal order")
    func levels() {
        #expect(losses.removal.errors == [6, 3, 1, 0])
        #expect(losses.kept(2) == [0, 1] && losses.kept(0) == [] && losses.kept(3) == [0, 1, 2])
        #expect((0...3).map(losses.prior) == [1, 0.25, 1.0 / 12, 0])
        let silent = ComponentLosses(removal: losses.removal, norm: 0)
        #expect(silent.prior(0) == 0)
    }

    @Test("a table can be written and read as JSON, in the order of the forward pass")
    func codable() throws {
        var table = LossTable()
        for layer in (0..<5).reversed() {
            for kind in ComponentKind.allCases {
                table.components[Component(layer: layer, kind: kind)] = losses
            }
        }
        let data = try JSONEncoder().encode(table)
        #expect(try JSONDecoder().decode(LossTable.self, from: data) == table)
        struct Entry: Decodable { let component: Component }
        let order = try JSONDecoder().decode([Entry].self, from: data).map(\.component)
        #expect(order == order.sorted() && order.count == 10)
        #expect(table.prior(of: order[0], keeping: 1) == 0.25)
        #expect(table.prior(of: Component(layer: 9, kind: .attention), keeping: 0) == 0)
    }

    @Test(
        "an inconsistent order gives an error",
        arguments: [
            #"{"order":[0,0],"errors":[2,1,0]}"#, #"{"order":[0,2],"errors":[2,1,0]}"#,
            #"{"order":[0,1],"errors":[1,0]}"#, #"{"order":[0,1],"errors":[2,1,1]}"#,
        ])
    func refuses(json: String) {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(RemovalOrder.self, from: Data(json.utf8))
        }
    }

    @Test("a component that occurs twice gives an error")
    func refusesTwice() throws {
        let entry =
            #"{"component":{"layer":0,"kind":"attention"},"losses":{"norm":1,"removal":{"order":[0],"errors":[1,0]}}}"#
        #expect(throws: Never.self) {
            try JSONDecoder().decode(LossTable.self, from: Data("[\(entry)]".utf8))
        }
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(LossTable.self, from: Data("[\(entry),\(entry)]".utf8))
        }
    }
}
