import Evaluation
import Foundation
import Tensors
import TestSupport
import Testing
import Transformers

@testable import ContextualSparsity

@Suite("Contextual sparsity")
struct SparsityTests {
    private static func fixture(_ name: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("TransformersTests/Fixtures/\(name)")
    }

    private static func checkpoint(_ name: String) throws -> Checkpoint {
        try Checkpoint(fixture(name).path)
    }

    private let engine = Engine(threads: 2)
    private let windows: [[Int32]] = (0..<3).map { start in
        (0..<24).map { place in
            let id = 3 + (start * 31 + place * 7) % 90
            return Int32(id)
        }
    }

    @Test(
        "a filter that keeps all units gives exactly the results of the dense model",
        arguments: ["tiny-llama", "tiny-opt"], UnitFilter.Choice.allCases)
    func whole(name: String, choice: UnitFilter.Choice) throws {
        let checkpoint = try Self.checkpoint(name)
        let model = try Model(checkpoint)
        let scores = try UnitScores(checkpoint)
        let dense = try DecoderQuality(of: model, on: windows, engine: engine)
        for kind in ComponentKind.allCases {
            // No magnitude is below a negative threshold.
            let thresholds = model.shape.components.reduce(into: [:]) { $0[$1] = Float(-1) }
            let filter = UnitFilter(
                scores, of: kind, density: 1, choice: choice, thresholds: thresholds)
            let quality = try DecoderQuality(
                of: model, on: windows, through: filter, engine: engine)
            #expect(quality == dense && filter.measuredDensity == 1)
        }
    }

    @Test(
        "a filter keeps the units with the largest contributions of each token",
        arguments: [0.25, 0.5])
    func largest(density: Double) throws {
        let checkpoint = try Self.checkpoint("tiny-llama")
        let scores = try UnitScores(checkpoint)
        for component in checkpoint.shape.components {
            let layer = try checkpoint.layer(component.layer)
            let projection = try #require(layer.outputProjection(of: component.kind))
            let columns = projection.weight.columns
            let size = component.kind == .attention ? checkpoint.shape.headDimension : 1
            let inputs = Activations(Matrix(randomRows: 5, columns: columns, seed: 3))
            var filtered = inputs
            let filter = UnitFilter(
                scores, of: component.kind, density: density, choice: .largest)
            filter.filter(component, inputs: &filtered)
            let count = max(1, Int((density * Double(columns / size)).rounded()))
            for row in 0..<5 {
                // The squared norm of the unit's output, if the unit's columns are orthogonal.
                func contribution(_ unit: Int) -> Double {
                    (unit * size..<(unit + 1) * size).reduce(0) { sum, column in
                        let length = (0..<projection.weight.rows).reduce(0.0) {
                            $0 + pow(Double(projection.weight[$1, column]), 2)
                        }
                        return sum + length * pow(Double(inputs[row, column]), 2)
                    }
                }
                let units = Array(0..<columns / size)
                let kept = units.filter { filtered[row, $0 * size] != 0 }
                let best = units.sorted { contribution($0) > contribution($1) }.prefix(count)
                #expect(Set(kept) == Set(best))
                for unit in kept {
                    for column in unit * size..<(unit + 1) * size {
                        #expect(filtered[row, column] == inputs[row, column])
                    }
                }
            }
            #expect(abs(filter.measuredDensity - Double(count * size) / Double(columns)) < 1e-9)
        }
    }

    @Test("a pass that filters units equals a pass of a model without these units")
    func masked() throws {
        // The filter sets every second neuron to 0. Zero columns in the down projection do the
        // same.
        final class EveryOther: ForwardObserver {
            func filter(_ component: Component, inputs: inout Activations) {
                guard component.kind == .feedForward else { return }
                for row in 0..<inputs.rows {
                    inputs.clear(row: row, columns: stride(from: 0, to: inputs.columns, by: 2))
                }
            }
        }
        for name in ["tiny-llama", "tiny-opt"] {
            let checkpoint = try Self.checkpoint(name)
            var model = try Model(checkpoint)
            let observer = EveryOther()
            let filtered = try DecoderQuality(
                of: model, on: windows, through: observer, engine: engine)
            for index in checkpoint.shape.layers.indices {
                var layer = try checkpoint.layer(index)
                guard var block = layer.feedForward else { continue }
                var weight = block.down.weight
                for row in 0..<weight.rows {
                    for column in stride(from: 0, to: weight.columns, by: 2) {
                        weight[row, column] = 0
                    }
                }
                block = FeedForwardWeights(
                    gate: block.gate, up: block.up,
                    down: Projection(weight: weight, bias: block.down.bias))
                layer.feedForward = block
                model = model.replacing(
                    layer: index, with: layer, sizes: checkpoint.shape.layers[index])
            }
            let wanted = try DecoderQuality(of: model, on: windows, engine: engine)
            #expect(abs(filtered.meanNLL - wanted.meanNLL) < 1e-4)
        }
    }

    @Test("a study has the requested densities, and the best choice has the lowest loss")
    func study() throws {
        let checkpoint = try Self.checkpoint("tiny-llama")
        let model = try Model(checkpoint)
        let text = try String(contentsOf: Self.fixture("text/held-out.txt"), encoding: .utf8)
        let ids = try checkpoint.tokenizer().encode(text, addingSpecialTokens: false)
        let windows = Transformers.windows(of: Array(ids.prefix(320)), length: 64)
        var calls: [Int] = []
        let study = try SparsityStudy(
            of: model, scores: UnitScores(checkpoint), calibration: [windows[0]],
            windows: Array(windows.dropFirst()), engine: engine
        ) { calls.append($0) }
        #expect(calls == Array(1...SparsityStudy.trialCount))
        #expect(study.trials.count == SparsityStudy.trialCount - 1)
        #expect(study.needs.map(\.component) == model.shape.components)
        for need in study.needs {
            #expect(0 < need.shares[0] && need.shares[0] <= need.shares[1] && need.shares[1] <= 1)
        }
        for trial in study.trials where trial.kind == .feedForward {
            #expect(abs(trial.measuredDensity - trial.density) < 0.12)
        }
        func worst(_ choice: UnitFilter.Choice) throws -> Double {
            try #require(
                study.trials.last { $0.kind == .feedForward && $0.choice == choice }
            ).perplexity
        }
        #expect(try worst(.largest) < worst(.random))
        let data = try JSONEncoder().encode(study)
        #expect(try JSONDecoder().decode(SparsityStudy.self, from: data) == study)
    }
}
