import Foundation
import ModelFiles
import Tensors
import Testing
import Transformers

@testable import ContextualSparsity

@Suite("Contextual plans")
struct ContextualPlanTests {
    private static func checkpoint(_ name: String) throws -> Checkpoint {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        return try Checkpoint(
            tests.appendingPathComponent("TransformersTests/Fixtures/\(name)").path)
    }

    private static let choices: [NeuronChoice] = [
        .computed, .coarse, .gate, .lowRank(8), .lookAhead(8),
    ]
    private let engine = Engine(threads: 2)
    private let tokens: [Int32] = (0..<24).map { 3 + Int32($0 * 7 % 90) }

    private func calibration(
        _ model: Model, _ checkpoint: Checkpoint, densities: [Double]
    ) throws -> ContextualCalibration {
        try ContextualCalibration(
            of: model, source: checkpoint, windows: [tokens, tokens.reversed()],
            choices: Self.choices, densities: densities, engine: engine)
    }

    /// Returns the logits of every token after the first, decoded one token at a time.
    private func decoded(_ model: Model) -> [[Float]] {
        var pass = ForwardPass(model, on: engine)
        var cache = KeyValueCache(for: model, capacity: tokens.count)
        var logits = Activations()
        return tokens.map { token in
            pass.advance([token], cache: &cache, logits: &logits)
            return Array(logits.row(0))
        }
    }

    @Test(
        "a plan that skips nothing gives exactly the logits of the dense model",
        arguments: Self.choices)
    func whole(choice: NeuronChoice) throws {
        let checkpoint = try Self.checkpoint("tiny-llama")
        let model = try Model(checkpoint)
        let plan = try calibration(model, checkpoint, densities: [1])
            .plan(choice, density: 1, screensHead: false)
        #expect(plan.layers.allSatisfy { $0 == nil } && plan.headMargin == nil)
        #expect(decoded(try model.applying(plan, of: checkpoint)) == decoded(model))
    }

    @Test(
        "decoding that skips neurons equals a forward pass that sets them to 0",
        arguments: ["tiny-llama", "tiny-opt", "tiny-gpt2"], Self.choices)
    func maskedDense(name: String, choice: NeuronChoice) throws {
        // tiny-opt has no gates.
        guard choice != .gate || name == "tiny-llama" else { return }
        for density in [0.2, 0.5, 0.8] { try maskedDense(name, choice, density) }
    }

    private func maskedDense(_ name: String, _ choice: NeuronChoice, _ density: Double) throws {
        let checkpoint = try Self.checkpoint(name)
        let model = try Model(checkpoint)
        let plan = try calibration(model, checkpoint, densities: [density])
            .plan(choice, density: density, screensHead: false)
        #expect(plan.layers.contains { $0 != nil })
        try compare(model.applying(plan, of: checkpoint), with: model)
    }

    /// Checks that decoding token by token agrees with whole sequences, and not with the dense
    /// model.
    private func compare(_ sparse: Model, with model: Model) throws {
        var masked: [[Float]] = []
        var pass = ForwardPass(sparse, on: engine)
        pass.logits(of: TokenBatch([tokens])) { _, logits in
            masked += (0..<logits.rows).map { Array(logits.row($0)) }
        }
        let step = decoded(sparse)
        for (a, b) in zip(step.joined(), masked.joined()) { #expect(abs(a - b) <= 1e-4) }
        #expect(step != decoded(model))
    }

    @Test(
        "decoding that skips attention inputs or heads equals a pass that sets them to 0",
        arguments: ["tiny-llama", "tiny-opt", "tiny-gpt2", "tiny-qwen2", "tiny-qwen3"],
        [NeuronChoice.computed, .lowRank(8), .lookAhead(8)])
    func maskedAttention(name: String, choice: NeuronChoice) throws {
        let checkpoint = try Self.checkpoint(name)
        let model = try Model(checkpoint)
        let plan = try calibration(model, checkpoint, densities: [0.5])
            .plan(screensHead: false) {
                $0.kind == .attention ? DensityLevel(choice, density: 0.5) : nil
            }
        #expect(plan.attention.dropFirst(choice == .lookAhead(8) ? 1 : 0).allSatisfy { $0 != nil })
        try compare(model.applying(plan, of: checkpoint), with: model)
    }

    @Test(
        "sequences that are decoded together have the same logits as sequences decoded alone",
        arguments: ["tiny-llama", "tiny-opt"])
    func together(name: String) throws {
        let checkpoint = try Self.checkpoint(name)
        let model = try Model(checkpoint)
        var plan = try calibration(model, checkpoint, densities: [0.4])
            .plan(.coarse, density: 0.4, screensHead: false)
        plan.sequences = 2
        let sparse = try model.applying(plan, of: checkpoint)
        let alone = decoded(sparse)
        func both(_ model: Model) -> [[Float]] {
            var pass = ForwardPass(model, on: engine)
            var cache = KeyValueCache(for: model, capacity: tokens.count, sequences: 2)
            var logits = Activations()
            return zip(tokens, tokens.reversed()).map { pair in
                pass.advance([pair.0, pair.1], cache: &cache, logits: &logits)
                return Array(logits.row(0))
            }
        }
        for (a, b) in zip(both(sparse).joined(), alone.joined()) { #expect(abs(a - b) <= 1e-4) }
        // A batch with more sequences than the plan allows is computed densely.
        plan.sequences = 1
        let (dense, one) = (both(model), both(try model.applying(plan, of: checkpoint)))
        #expect(one == dense && dense != alone)
    }

    @Test(
        "the most likely tokens stay the same if coarse logits are computed first",
        arguments: Precision.allCases)
    func words(precision: Precision) throws {
        let checkpoint = try Self.checkpoint("tiny-llama")
        let model = try Model(checkpoint, precision: precision)
        let found = try calibration(model, checkpoint, densities: [])
        let plan = found.plan(
            density: nil, screensHead: true)
        let sparse = try model.applying(plan, of: checkpoint)
        let same = try ContextualCalibration.sameWords(
            of: sparse, on: [tokens, tokens.reversed()], engine: engine)
        #expect(same.words == 2 * tokens.count && same.share > 0.95)
        // Coarse logits are used only to find the largest logit. Here all logits are requested, so
        // they are exact.
        #expect(decoded(sparse) == decoded(model))
    }

    @Test("a plan can be written and read, and a damaged file gives an error")
    func files() throws {
        let checkpoint = try Self.checkpoint("tiny-llama")
        let shape = checkpoint.shape
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(try ContextualFile.read(beside: folder, of: shape) == nil)
        var plan = ContextualPlan(
            headMargin: 1.25, headInputs: [1, 5], layers: shape.layers.map { _ in nil })
        let neurons = shape.layers[1].feedForward
        let thresholds = (0..<neurons).map { Float($0) / 3 }
        for method: ContextualPlan.Predictor.Method? in [
            nil, .coarse(fineInputs: [2, 3]), .gate,
            .lowRank(
                down: Matrix(randomRows: 1, columns: shape.hiddenSize, seed: 1),
                up: Matrix(randomRows: neurons, columns: 1, seed: 2)),
        ] {
            plan.layers[1] = ContextualPlan.Neurons(
                thresholds: thresholds,
                predictor: method.map {
                    ContextualPlan.Predictor($0, above: thresholds.map { 1 - $0 })
                })
            try ContextualFile.write(plan, to: folder)
            #expect(try ContextualFile.read(beside: folder, of: shape) == plan)
            plan.attention[0] = .inputs(
                entering: (0..<shape.hiddenSize).map { Float($0) / 7 },
                leaving: (0..<shape.layers[0].queryHeads * shape.headDimension).map(Float.init))
            let heads = shape.layers[1].queryHeads
            plan.attention[1] = .heads(
                ContextualPlan.Predictor(
                    .lowRank(
                        down: Matrix(randomRows: 3, columns: shape.hiddenSize, seed: 3),
                        up: Matrix(randomRows: heads, columns: 3, seed: 4)),
                    above: (0..<heads).map { Float($0) - 1 }, looksAhead: true))
        }
        try ContextualFile.write(plan, to: folder)
        #expect(try ContextualFile.read(beside: folder, of: shape) == plan)
        var other = shape
        other.layers[1].feedForward += 1
        #expect(throws: ModelFileError.self) {
            try ContextualFile.read(beside: folder, of: other)
        }
        for (json, subject) in [
            ("{}", "format_version"), (#"{"format_version": 1, "layers": []}"#, "format_version"),
            (#"{"format_version": 2, "layers": []}"#, "layers"),
            (#"{"format_version": 2, "attention": [], "layers": [{"layer": 9}]}"#, "layers"),
            (#"{"format_version": 2, "attention": [{"layer": -1}], "layers": []}"#, "attention"),
            (
                #"{"format_version": 2, "attention": [], "layers": [{"layer": 1, "predictor": "no"}]}"#,
                "predictor"
            ),
            (#"{"format_version": 2, "head_margin": -1, "layers": []}"#, "head_margin"),
            (#"{"format_version": 2, "head_inputs": [3, 1], "layers": []}"#, "head_inputs"),
        ] {
            try Data(json.utf8).write(to: URL(fileURLWithPath: folder + "/contextual.json"))
            let error = #expect(throws: ModelFileError.self) {
                try ContextualFile.read(beside: folder, of: shape)
            }
            #expect(error?.subject == subject)
        }
    }
}
