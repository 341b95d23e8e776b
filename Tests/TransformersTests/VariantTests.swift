import Foundation
import Tensors
import Testing
import Transformers

@Suite("Variant")
struct VariantTests {
    @Test("a variant is coded as its number of units, and other values give an error")
    func coding() throws {
        let plan = Plan(attention: [3, 0], feedForward: [64, 32], hiddenSize: 48)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = #"{"attention":[3,0],"feedForward":[64,32],"hiddenSize":48}"#
        #expect(String(decoding: try encoder.encode(plan), as: UTF8.self) == json)
        #expect(try JSONDecoder().decode(Plan.self, from: Data(json.utf8)) == plan)
        let short = #"{"attention":[1],"feedForward":[2]}"#
        #expect(
            try JSONDecoder().decode(Plan.self, from: Data(short.utf8))
                == Plan(attention: [1], feedForward: [2]))
        for variant in [#"{"units":1}"#, #"{"units":1,"format":"int3"}"#, #""1""#, "1.5"] {
            let other = #"{"attention":[\#(variant)],"feedForward":[2]}"#
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode(Plan.self, from: Data(other.utf8))
            }
        }
    }

    @Test("a variant with a format is coded as an object, and keeps the format when units change")
    func formats() throws {
        var plan = Plan(attention: [3, 1], feedForward: [64, 32])
        plan[Component(layer: 1, kind: .attention)].format = .int8
        plan.attention[1] = 2
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = #"{"attention":[3,{"format":"int8","units":2}],"feedForward":[64,32]}"#
        #expect(String(decoding: try encoder.encode(plan), as: UTF8.self) == json)
        #expect(try JSONDecoder().decode(Plan.self, from: Data(json.utf8)) == plan)
        var formats = Formats(uniform: .bf16, layers: 2)
        formats.layers[1].attention = .int8
        #expect(Formats(of: plan, otherwise: .bf16) == formats)
    }

    @Test("the variants of a plan are read and set by component and by kind")
    func plan() {
        var plan = Plan(attention: [3, 1], feedForward: [64, 32])
        let component = Component(layer: 1, kind: .feedForward)
        #expect(plan[component] == Variant(units: 32))
        plan[component] = .removed
        plan[Component(layer: 0, kind: .attention)].units = 2
        plan.feedForward[0] /= 2
        #expect(plan == Plan(attention: [2, 1], feedForward: [32, 0]))
        #expect(plan.variants(of: .attention).map(\.units) == [2, 1])
        #expect(plan.variants(of: .feedForward) == [Variant(units: 32), .removed])
    }
}
