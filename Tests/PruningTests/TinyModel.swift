import Foundation
import Tensors
import Testing
import Transformers

@testable import Pruning

/// A tiny model of the fixtures, calibrated on the text of the fixtures.
struct TinyModel {
    let checkpoint: Checkpoint
    let model: Model
    let text: CalibrationText
    let engine: Engine

    static let names = ["tiny-llama", "tiny-bert"]

    private static let fixtures = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("TransformersTests/Fixtures")

    static func path(_ name: String) -> String { fixtures.appendingPathComponent(name).path }

    static func story() throws -> String {
        try String(contentsOfFile: path("text/calibration.txt"), encoding: .utf8)
    }

    init(_ name: String, tokens: Int = 1024, threads: Int = 2) throws {
        engine = Engine(threads: threads)
        checkpoint = try Checkpoint(Self.path(name))
        model = try Model(checkpoint)
        let tokenizer = try checkpoint.tokenizer()
        let story = try Self.story()
        text =
            checkpoint.shape.architecture == .llama
            ? CalibrationText(
                stream: story, tokenizer: tokenizer, tokens: tokens, length: 128, seed: 1)
            : CalibrationText(
                paragraphs: story, tokenizer: tokenizer, tokens: tokens, length: 64, seed: 1)
    }

    var shape: ModelShape { checkpoint.shape }

    var biased: Set<ComponentKind> {
        shape.architecture == .bert ? [.attention, .feedForward] : []
    }

    var components: [Component] { Plan(keepingAllOf: shape).components }

    /// Returns a calibration on the full text, before the first layer.
    func calibration(batchTokens: Int = 512) throws -> Calibration {
        try Calibration(
            checkpoint, on: batches(of: text.calibration, tokens: batchTokens), engine: engine)
    }

    /// Returns the surgery of the model.
    ///
    /// The second moments are stored in a folder.
    func surgery(in scratch: Scratch, damping: Double = 0.01) throws -> Surgery {
        let path = scratch.path("moments.safetensors")
        try CalibrationFile.write(try calibration(), to: path)
        return Surgery(
            checkpoint, calibration: try CalibrationFile(path: path), damping: damping,
            engine: engine)
    }

    /// Returns the logits of a decoder or the hidden states of an encoder for held-out sequences.
    func output(of model: Model) -> [Float] {
        let batch = TokenBatch(Array(text.heldOut.prefix(2)))
        var pass = ForwardPass(model, on: engine)
        guard shape.architecture == .llama else {
            return pass.hiddenStates(of: batch).matrix.elements
        }
        var all: [Float] = []
        pass.logits(of: batch) { all += $1.matrix.elements }
        return all
    }

    /// Returns the inputs of each component's last projection and of each layer.
    func observed() -> Recorder {
        var pass = ForwardPass(model, on: engine)
        let recorder = Recorder()
        pass.observer = recorder
        let batch = TokenBatch(text.calibration)
        _ = pass.hiddenStates(of: batch)
        pass.observer = nil
        let last = shape.layers.count - 1
        let entering = Activations(recorder.streams[last])
        recorder.streams.append(
            pass.stream(after: last, of: batch, entering: entering).matrix)
        return recorder
    }

    /// Returns a random plan without some of the branches.
    func randomPlan(seed: UInt64) -> Plan {
        var random = SplitMix64(seed: seed)
        var plan = Plan(keepingAllOf: shape)
        for component in components {
            let gone = Int.random(in: 0..<5, using: &random) == 0
            let units = plan[component].units
            plan[component].units = gone ? 0 : Int.random(in: 1...units, using: &random)
        }
        return plan
    }
}

extension Calibration {
    /// Returns the second moments of all components.
    func all() throws -> [Component: Matrix<Double>] {
        var moments: [Component: Matrix<Double>] = [:]
        while let more = try next() { moments.merge(more) { first, _ in first } }
        return moments
    }
}

/// Records everything that an observer receives, and the residual stream after the last layer.
final class Recorder: ForwardObserver {
    var inputs: [Component: Matrix<Float>] = [:]
    var streams: [Matrix<Float>] = []

    func willProject(_ component: Component, inputs: Activations) {
        self.inputs[component] = inputs.matrix
    }

    func willEnterLayer(_ layer: Int, hidden: Activations) {
        streams.append(hidden.matrix)
    }
}

/// The dense weights, with 0 in the last projections for units that are not kept.
struct MaskedWeights: WeightSource {
    let dense: Checkpoint
    let kept: [Component: [Int]]

    var shape: ModelShape { dense.shape }

    func embeddings() throws -> EmbeddingWeights { try dense.embeddings() }

    func head() throws -> HeadWeights { try dense.head() }

    func layer(_ index: Int) throws -> LayerWeights {
        var layer = try dense.layer(index)
        for kind in ComponentKind.allCases {
            let component = Component(layer: index, kind: kind)
            guard let units = kept[component], var output = layer.outputProjection(of: kind) else {
                continue
            }
            let size = output.weight.columns / shape.units(of: component)
            for column in 0..<output.weight.columns where !units.contains(column / size) {
                for row in 0..<output.weight.rows { output.weight[row, column] = 0 }
            }
            if units.isEmpty { output.bias = output.bias.map { $0.map { _ in 0 } } }
            switch kind {
            case .attention: layer.attention?.output = output
            case .feedForward: layer.feedForward?.down = output
            }
        }
        return layer
    }
}

/// A directory that is removed with the value.
final class Scratch {
    private let url = FileManager.default.temporaryDirectory
        .appendingPathComponent("espalier-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    /// Returns the path of a name in the directory.
    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    /// Returns the names in the directory or in one of its folders.
    func names(_ folder: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(
            atPath: folder.isEmpty ? url.path : path(folder)
        )
        .sorted()
    }
}
