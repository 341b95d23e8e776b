import Profiling
import Tensors
import Testing
import Transformers

@testable import Pruning

@Suite("Determinism")
struct DeterminismTests {
    /// Returns a plan and all results from which it is made, computed with `threads` threads.
    private func outcome(_ name: String, threads: Int) throws -> (
        influence: [Double], losses: LossTable, sensitivity: Sensitivity, plans: [Plan]
    ) {
        let (tiny, scratch) = (try TinyModel(name, threads: threads), try Scratch())
        let calibration = try tiny.calibration()
        let path = scratch.path("moments.safetensors")
        try CalibrationFile.write(calibration, to: path)
        let surgery = Surgery(
            tiny.checkpoint, calibration: try CalibrationFile(path: path), engine: tiny.engine)
        let losses = try surgery.losses(order: .optimalBrainSurgeon)
        let divergence = ModelDivergence(
            from: tiny.model, on: TokenBatch(tiny.text.heldOut), engine: tiny.engine)
        let sensitivity = try Sensitivity(losses: losses, surgery: surgery, divergence: divergence)
        let dense = Plan(keepingAllOf: tiny.shape)
        let space = SearchSpace(dense: dense, costs: UnitCosts(shape: tiny.shape))
        func plan(_ method: PruningMethod) throws -> Plan {
            try method.plan(
                within: 0.6 * Double(2 * tiny.shape.layers.count), in: space,
                using: .init(
                    losses: losses, blockInfluence: calibration.blockInfluence,
                    sensitivity: sensitivity), seed: 7)
        }
        return (
            calibration.blockInfluence, losses, sensitivity,
            try PruningMethod.allCases.filter { $0 != .spdy && $0 != .formats }.map(plan)
        )
    }

    @Test("a plan does not depend on the number of threads", arguments: TinyModel.names)
    func threads(name: String) throws {
        let one = try outcome(name, threads: 1)
        for threads in [2, 3] {
            let more = try outcome(name, threads: threads)
            #expect(more.influence == one.influence)
            #expect(more.losses == one.losses)
            #expect(more.sensitivity == one.sensitivity)
            #expect(more.plans == one.plans)
        }
    }
}

/// A full component costs one second.
///
/// Smaller levels cost a proportional time.
private struct UnitCosts: CostModel {
    let hiddenSize = 96
    let shape: ModelShape

    var base: Double { 0.1 }

    func seconds(of component: Component, as variant: Variant) -> Double {
        Double(variant.units) / Double(shape.units(of: component))
    }

    func variants(of component: Component) -> [Variant] {
        LevelGrid.levels(of: component.kind, in: shape).map { Variant(units: $0) } + [.removed]
    }
}
