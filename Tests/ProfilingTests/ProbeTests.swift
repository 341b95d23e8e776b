import ModelFiles
import Tensors
import Testing
import Transformers

@testable import Profiling

@Suite("Probes")
struct ProbeTests {
    private static let shape: ModelShape = {
        var shape = smallShape
        shape.layers = [LayerShape](
            repeating: LayerShape(queryHeads: 8, keyValueHeads: 4, feedForward: 640), count: 6)
        return shape
    }()

    /// Returns the sum of a plan's latencies on a simulated machine, in steps of 64 neurons.
    private static func sum(_ plan: Plan) -> Double {
        let attention = plan.attention.map { $0 == 0 ? 0 : 0.1 + 0.2 * Double($0) }
        let feedForward = plan.feedForward.map { $0 == 0 ? 0 : 0.05 + 0.2 * Double(($0 + 63) / 64) }
        return (attention + feedForward).reduce(0.5, +)
    }

    /// Returns the sum of a plan's latencies on a simulated machine without steps.
    private static func straightSum(_ plan: Plan) -> Double {
        let attention = plan.attention.map { $0 == 0 ? 0 : 0.1 + 0.2 * Double($0) }
        let feedForward = plan.feedForward.map { $0 == 0 ? 0 : 0.05 + 0.2 * Double($0) / 64 }
        return (attention + feedForward).reduce(0.5, +)
    }

    /// Returns a table of the times of a simulated machine.
    ///
    /// The times are exact, except for `noise` on some rounds of blends.
    private static func table(
        noise: Double = 1, of seconds: (Plan) -> Double
    ) throws -> LatencyTable {
        let probes = Probe.all(of: shape, in: [.f32])
        var timings = RatioAccumulator(count: probes.count)
        for round in 0..<9 {
            timings.time([.reference] + probes.indices.map(MeasurementStep.item)) { step in
                switch step {
                case .reference: Sample(seconds: seconds(Plan(keepingAllOf: shape)))
                case .item(let index):
                    if case .blend = probes[index].role, round < 6 {
                        Sample(seconds: seconds(probes[index].plan) * noise)
                    } else {
                        Sample(seconds: seconds(probes[index].plan))
                    }
                }
            }
        }
        return try LatencyTable.measured(
            probes, timings, shape: shape, machine: smallMachine,
            environment: smallTable().environment, created: "", version: "")
    }

    private static func worstError(
        of table: LatencyTable, _ seconds: (Plan) -> Double
    ) -> Double {
        table.randomPlans(200, seed: 3).reduce(0) {
            max($0, abs(table.predict($1) / seconds($1) - 1))
        }
    }

    @Test("probes predict every plan on a machine where the times of components add up")
    func additive() throws {
        let table = try Self.table(of: Self.straightSum)
        #expect(Self.worstError(of: table, Self.straightSum) < 1e-9)
        let stepped = try Self.table(of: Self.sum)
        #expect(Self.worstError(of: stepped, Self.sum) < 0.02)
        #expect(abs(table.predict(Plan(keepingAllOf: Self.shape)) - table.dense.seconds) < 1e-9)
    }

    @Test("an output head in 4 bits has its own time, which a written profile keeps")
    func heads() throws {
        let probes = Probe.all(of: Self.shape, in: [.f32, .int8, .int4], heads: [.int4])
        func seconds(_ plan: Plan) -> Double {
            let head = [Precision.int8: 0.2, .int4: 0.1]
            let parts = plan.components.map { component in
                let variant = plan[component]
                let whole = Double(variant.units) / (component.kind == .attention ? 4 : 640)
                return whole * (variant.format == nil ? 1 : variant.format == .int8 ? 0.4 : 0.3)
            }
            return parts.reduce(plan.headFormat.flatMap { head[$0] } ?? 0.5, +)
        }
        var timings = RatioAccumulator(count: probes.count)
        for _ in 0..<9 {
            timings.time([.reference] + probes.indices.map(MeasurementStep.item)) { step in
                switch step {
                case .reference: Sample(seconds: seconds(Plan(keepingAllOf: Self.shape)))
                case .item(let index): Sample(seconds: seconds(probes[index].plan))
                }
            }
        }
        let table = try LatencyTable.measured(
            probes, timings, shape: Self.shape, machine: smallMachine,
            environment: smallTable().environment, created: "", version: "")
        #expect(table.headFormats == [.int8, .int4])
        #expect(abs(table.seconds(ofHeadIn: .int4) + 0.4) < 1e-9)
        #expect(abs(table.seconds(ofHeadIn: .int8) + 0.3) < 1e-9)
        #expect(abs(table.minimumSeconds - 0.1) < 1e-9)
        let plans = table.randomPlans(60, seed: 3)
        #expect(plans.contains { $0.headFormat == .int4 })
        for plan in plans { #expect(abs(table.predict(plan) / seconds(plan) - 1) < 0.01) }
        #expect(try LatencyTable(json: table.json(), file: "") == table)
    }

    @Test("noisy blends change the interplay only a little")
    func noisy() throws {
        let table = try Self.table(noise: 1.4, of: Self.sum)
        #expect(Self.worstError(of: table, Self.sum) < 0.15)
    }

    @Test("probes predict plans on a machine whose cache holds small models")
    func cached() throws {
        func seconds(_ plan: Plan) -> Double {
            let sum = Self.sum(plan)
            return sum + max(0, sum - 6) * 0.4
        }
        let table = try Self.table(of: seconds)
        #expect(Self.worstError(of: table, seconds) < 0.1)
        var alone = table
        alone.interplay = Interplay()
        #expect(Self.worstError(of: alone, seconds) > 0.15, "the cache has no effect in this test")
        #expect(abs(table.predict(Plan(keepingAllOf: Self.shape)) - table.dense.seconds) < 1e-9)
    }

    @Test("an effect of the model's total size is not attributed to a component")
    func shared() throws {
        func seconds(_ plan: Plan) -> Double {
            let sum = Self.straightSum(plan)
            return sum + max(0, sum - 6) * 0.4
        }
        let curve = try #require(try Self.table(of: seconds).curves[.feedForward])
        let full = try #require(curve.entries.first).seconds
        // A model of blocks of 320 neurons fits in the cache, so a block seems a sixth cheaper.
        for entry in curve.entries where entry.level >= 128 {
            let line = (0.05 + 0.2 * Double(entry.level) / 64) / (0.05 + 0.2 * 10)
            #expect(abs(entry.seconds / full / line - 1) < 0.04, "\(entry.level)")
        }
    }
}
