import Foundation
import Pruning
import Tensors
import Testing
import Transformers

@testable import ContextualSparsity

@Suite("Search for densities")
struct DensitySearchTests {
    private let engine = Engine(threads: 2)
    private let densities = [0.8, 0.5, 0.3, 0.2]
    private let choices: [NeuronChoice] = [.computed, .coarse, .lowRank(8)]
    private let windows: [[Int32]] = (0..<3).map { start in
        (0..<40).map { 3 + Int32((start * 31 + $0 * 7) % 90) }
    }

    private func prepared(
        _ name: String
    ) throws -> (Checkpoint, Model, ContextualCalibration, ContextualSensitivity) {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        let checkpoint = try Checkpoint(
            tests.appendingPathComponent("TransformersTests/Fixtures/\(name)").path)
        let model = try Model(checkpoint)
        let calibration = try ContextualCalibration(
            of: model, source: checkpoint, windows: windows, choices: choices,
            densities: densities, engine: engine)
        let sensitivity = try ContextualSensitivity(
            calibration, of: model, source: checkpoint, windows: windows, choices: choices,
            engine: engine
        ) { _ in }
        return (checkpoint, model, calibration, sensitivity)
    }

    @Test("levels have the requested densities, and the loss rises as the density falls")
    func levels() throws {
        for name in ["tiny-llama", "tiny-opt"] {
            let (_, _, calibration, sensitivity) = try prepared(name)
            for (index, layer) in calibration.layers.enumerated() {
                let layer = try #require(layer)
                for choice in choices {
                    var before: NeuronCalibration.Totals?
                    for density in densities {
                        let level = try #require(layer.level(choice, density: density))
                        let totals = level.total
                        #expect(totals.lost >= 0 && totals.lost < 1)
                        #expect(totals.volume <= 1 + 1e-6)
                        // With ReLU, fewer neurons than requested may be above 0.
                        if choice == .coarse, name == "tiny-llama" {
                            #expect(abs(totals.computed - density) < 0.03)
                        }
                        if let before { #expect(totals.lost >= before.lost - 1e-6) }
                        before = totals
                        // The totals of half of the neurons are at most the totals of all neurons.
                        let half = level.totals(of: Array(0..<level.neurons.count / 2))
                        #expect(
                            half.lost <= totals.lost + 1e-6 && half.volume <= totals.volume + 1e-6)
                    }
                }
                let component = Component(layer: index, kind: .feedForward)
                for choice in choices {
                    #expect(
                        sensitivity.divergence(of: component, choice, losing: 0.3)
                            >= sensitivity.divergence(of: component, choice, losing: 0.1))
                }
            }
        }
    }

    @Test("the search reaches the target, and components that save no time stay dense")
    func search() throws {
        let (checkpoint, _, calibration, sensitivity) = try prepared("tiny-llama")
        func search(_ saved: [NeuronChoice: [Double]]) -> DensitySearch {
            DensitySearch(
                calibration, densities: densities, shape: checkpoint.shape,
                saved: Dictionary(
                    uniqueKeysWithValues: saved.map { (.init(.feedForward, $0.key), $0.value) }),
                headSaving: 0.1, sensitivity: sensitivity)
        }
        let slower = search([.computed: [-0.1, -0.05], .coarse: [-0.2, -0.1]])
        #expect(abs(slower.maximumSpeedup - 1 / 0.9) < 1e-6)
        let whole = try slower.choice(speedup: 1.1)
        #expect(whole.levels.isEmpty)
        #expect(whole.plan == Plan(keepingAllOf: checkpoint.shape))

        let faster = search([
            .computed: [0.05, 0.1], .coarse: [0.2, 0.4], .lowRank(8): [0.15, 0.3],
        ])
        #expect(faster.maximumSpeedup > 1.5)
        var computed = Double.infinity
        for speedup in [1.2, 1.4, 1.6] {
            let choice = try faster.choice(speedup: speedup)
            #expect(!choice.levels.isEmpty)
            #expect(choice.plan == Plan(keepingAllOf: checkpoint.shape))
            let sum = choice.computed.values.reduce(
                Double(checkpoint.shape.layers.count - choice.computed.count), +)
            #expect(sum <= computed + 1e-6)
            computed = sum
        }
        #expect(throws: SearchError.self) { try faster.choice(speedup: 50) }
    }

    @Test("recall is the fraction of needed neurons, and the best choice has the highest recall")
    func recall() throws {
        let (checkpoint, model, calibration, _) = try prepared("tiny-opt")
        for choice in choices {
            let plan = calibration.plan(screensHead: false) {
                $0.kind == .feedForward || choice != .coarse
                    ? DensityLevel(choice, density: 0.5) : nil
            }
            let layers = try NeuronRecall.all(
                of: plan, model: model, source: checkpoint, windows: windows, engine: engine
            ) { _ in }
            let count = checkpoint.shape.layers.count
            #expect(layers.count { $0.kind == .feedForward } == count)
            #expect(layers.count { $0.kind == .attention } == (choice == .lowRank(8) ? count : 0))
            for layer in layers {
                #expect(layer.choice == choice)
                #expect(layer.recall >= 0 && layer.recall <= 1)
                #expect(layer.kept <= layer.keptByOracle + 1e-9)
                #expect(layer.keptAtRandom <= layer.keptByOracle + 1e-9)
                if choice == .computed { #expect(abs(layer.kept - layer.keptByOracle) < 1e-6) }
            }
        }
    }
}
