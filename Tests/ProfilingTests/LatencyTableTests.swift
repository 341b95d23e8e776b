import Profiling
import Tensors
import Testing
import Transformers

@Suite("LatencyTable")
struct LatencyTableTests {
    @Test("the predicted latency is the base plus the components")
    func prediction() {
        let table = smallTable()
        #expect(table.predict(Plan(keepingAllOf: smallShape)) == 17)
        #expect(table.predict(Plan(attention: [2, 1, 0], feedForward: [96, 48, 0])) == 10.25)
        #expect(table.predict(Plan(attention: [0, 0, 0], feedForward: [0, 0, 0])) == 2)
        #expect(table.predictedSpeedup(Plan(attention: [0, 0, 0], feedForward: [0, 0, 0])) == 8.5)
        #expect(table.maximumSpeedup == 8.5)
        #expect(table.budget(forSpeedup: 2) == 8.5)
    }

    @Test("fewer units never have a higher predicted latency, even with noisy curves")
    func monotonePrediction() {
        let table = smallTable(curves: [
            .attention: curve([2: 2, 1: 2.4]), .feedForward: curve([96: 3, 64: 3.5, 32: 1]),
        ])
        #expect(
            table.seconds(of: .attention, as: Variant(units: 1))
                == table.seconds(of: .attention, as: Variant(units: 2)))
        #expect(table.usefulVariants(of: .attention) == [Variant(units: 2), .removed])
        for level in 0..<96 {
            let (fewer, more) = (
                table.seconds(of: .feedForward, as: Variant(units: level)),
                table.seconds(of: .feedForward, as: Variant(units: level + 1))
            )
            #expect(fewer <= more)
        }
        #expect(table.curves[.feedForward]?.seconds(keeping: 64) == 3.5)
    }

    @Test("writing and reading a table does not change a byte")
    func roundTrip() throws {
        let table = smallTable()
        let json = try table.json()
        let copy = try LatencyTable(json: json, file: "p.json")
        #expect(copy == table)
        #expect(try copy.json() == json)
        try copy.check(against: smallShape, named: "mine")
    }

    @Test("a table needs no curve for a kind of component that no layer has")
    func withoutAttention() throws {
        var shape = smallShape
        for index in shape.layers.indices {
            shape.layers[index].queryHeads = 0
            shape.layers[index].keyValueHeads = 0
        }
        let table = smallTable(shape: shape, curves: [.feedForward: curve([96: 3])])
        let copy = try LatencyTable(json: table.json(), file: "p.json")
        #expect(copy.curves[.attention] == nil)
        #expect(copy.usefulVariants(of: .attention) == [.removed])
    }

    @Test("a table of another model gives an error with both names and the differences")
    func anotherModel() throws {
        var other = smallShape
        (other.hiddenSize, other.layers[1].feedForward) = (128, 7)
        other.layers.append(other.layers[0])
        var table = smallTable()
        table.model = "the profiled"
        table = try LatencyTable(json: table.json(), file: "p.json")
        let error = #expect(throws: ProfileError.self) {
            try table.check(against: other, named: "the pruned")
        }
        #expect(error?.field == "model")
        let (mine, its) = (smallShape.layers.count, other.layers.count)
        for part in [
            "of the profiled (llama, \(mine) layers, hidden size \(smallShape.hiddenSize))",
            "not of the pruned (llama, \(its) layers, hidden size 128)",
            "hidden size \(smallShape.hiddenSize) instead of 128",
            "layers \(mine) instead of \(its)",
            "layer 2 ", " heads and 7 neurons",
        ] {
            #expect(error?.problem.contains(part) == true, "\(part): \(error?.problem ?? "")")
        }
        #expect(error?.problem.contains("norm epsilon") == false)
        // Older profiles do not contain the name of the model.
        let unnamed = #expect(throws: ProfileError.self) {
            try smallTable().check(against: other, named: "the pruned")
        }
        #expect(unnamed?.problem.hasPrefix("it is of a model (llama, ") == true)
    }

    @Test("a table with impossible values gives an error that names the field")
    func impossible() {
        func field(_ table: LatencyTable) -> String? {
            #expect(throws: ProfileError.self) { try table.json() }?.field
        }
        let feedForward = curve([96: 3])
        #expect(field(smallTable(dense: timing(.nan))) == "dense.seconds")
        #expect(field(smallTable(base: timing(-1))) == "base.seconds")
        #expect(field(smallTable(base: timing(18))) == "base.seconds")
        #expect(field(smallTable(curves: [.feedForward: feedForward])) == "curves.attention")
        #expect(
            field(smallTable(curves: [.attention: curve([1: 1]), .feedForward: feedForward]))
                == "curves.attention")
        #expect(
            field(smallTable(curves: [.attention: curve([2: 1, 1: .infinity])]))
                == "curves.attention[1].seconds")
        #expect(
            field(smallTable(curves: [.attention: curve([2: 1, 2: 1])]))
                == "curves.attention[1].level")
        var shape = smallShape
        shape.layers[1].queryHeads = 3
        #expect(field(smallTable(shape: shape)) == "shape.layers[1].queryHeads")
    }

    @Test("a missing file gives an error that names the file")
    func missingFile() {
        let error = #expect(throws: ProfileError.self) {
            try LatencyTable(contentsOf: "/nowhere/profile.json")
        }
        #expect(error?.description.contains("/nowhere/profile.json: cannot be read") == true)
    }

    @Test("the digest depends on every field of the shape, and on nothing else")
    func digest() {
        var shape = smallShape
        #expect(ShapeDigest(shape) == ShapeDigest(smallShape))
        #expect(ShapeDigest(shape).description.count == 64)
        shape.layers[2].feedForward = 95
        #expect(ShapeDigest(shape) != ShapeDigest(smallShape))
        shape = smallShape
        shape.normEpsilon = 1e-6
        #expect(ShapeDigest(shape) != ShapeDigest(smallShape))
    }
}
