import Foundation
import Tensors
import TestSupport
import Testing
import Transformers

@testable import Training

/// The results of torch for the tiny models.
struct TorchGradients: Decodable {
    struct Model: Decodable {
        let sequences: [[Int32]]
        let loss: Double
        /// The norm of each gradient, and its dot product with cos(0.7 i) divided by the norm.
        let gradients: [String: [Double]]
    }
    let models: [String: Model]
    let losses: [Double]

    static func read() throws -> TorchGradients {
        let path = Bundle.module.bundleURL.appendingPathComponent("Fixtures/gradients.json")
        return try JSONDecoder().decode(Self.self, from: Data(contentsOf: path))
    }

    static func checkpoint(_ name: String) throws -> Checkpoint { try fixture("tiny-" + name) }

    /// Returns the model in a folder of the fixtures.
    static func fixture(_ name: String) throws -> Checkpoint {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        return try Checkpoint(
            folder.appendingPathComponent("TransformersTests/Fixtures/" + name).path)
    }
}

/// Returns the loss of the reference data: cross entropy of decoders, products with cosines of
/// encoders.
func goldenLoss(
    _ pass: inout TrainingPass, _ model: inout TrainableModel, _ batch: TokenBatch
) -> Double {
    guard model.shape.architecture.isEncoder else {
        let count = Double(batch.predictions)
        return pass.crossEntropy(&model, batch, factor: Float(1 / count)) / count
    }
    let hidden = pass.forward(model, batch).matrix
    var (loss, gradient) = (0.0, Matrix<Float>(rows: hidden.rows, columns: hidden.columns))
    for rows in batch.sequences {
        let first = rows.lowerBound * hidden.columns
        for place in first..<rows.upperBound * hidden.columns {
            let factor = cos(0.3 * Double(place - first)) / Double(hidden.rows)
            loss += factor * Double(hidden.elements[place])
            gradient.elements[place] = Float(factor)
        }
    }
    pass.backward(&model, Activations(gradient))
    return loss
}

/// Expects the loss to rise along its gradient by the predicted amount.
///
/// The gradient is that of `factor` times the loss.
func expectSlope(
    _ start: TrainableModel, factor: Double = 1, step size: Double = 0.004,
    sourceLocation: SourceLocation = #_sourceLocation,
    loss: (inout TrainableModel) -> Double
) throws {
    var start = start
    start.clearGradients(on: Engine(threads: 1))
    _ = loss(&start)
    var squares = 0.0
    start.visit { _, parameter in
        squares += parameter.gradient.elements.reduce(0) { $0 + Double($1) * Double($1) }
    }
    let step = size / squares.squareRoot()
    func moved(_ distance: Double) throws -> Double {
        var other = start
        other.visit { _, parameter in
            for index in parameter.values.elements.indices {
                parameter.values.elements[index] +=
                    Float(distance) * parameter.gradient.elements[index]
            }
        }
        // Copies share packed weights, so the moved model is created again.
        var fresh = try TrainableModel(other, classifier: other.classifier)
        return loss(&fresh)
    }
    let slope = factor * (try moved(step) - moved(-step)) / (2 * step)
    #expect(
        abs(slope - squares) < 0.02 * squares, "\(slope) \(squares)",
        sourceLocation: sourceLocation)
}

/// Returns the products of the last hidden states and sines, and adds their gradient to the model.
func sineLoss(
    _ pass: inout TrainingPass, _ model: inout TrainableModel, _ batch: TokenBatch,
    skipping skipped: Set<Int> = []
) -> Double {
    let hidden = pass.forward(model, batch, skipping: skipped)
    let pattern = (0..<hidden.rows * hidden.columns).map { Float(sin(0.9 * Double($0))) }
    pass.backward(
        &model,
        Activations(Matrix(rows: hidden.rows, columns: hidden.columns, elements: pattern)))
    return zip(hidden.matrix.elements, pattern).reduce(0) {
        $0 + Double($1.0) * Double($1.1)
    }
}

@Suite("Gradients of whole models")
struct GradientTests {
    static let names = [
        "llama", "mistral", "qwen2", "qwen3", "gpt2", "opt", "stablelm", "granite", "phi3",
        "smollm3", "gemma3_text", "gemma2", "bloom", "bert",
        "roberta", "distilbert", "mpnet",
    ]

    @Test("the gradient of every weight agrees with torch", arguments: names, [false, true])
    func torch(name: String, recomputes: Bool) throws {
        let golden = try #require(try TorchGradients.read().models[name])
        let checkpoint = try TorchGradients.checkpoint(name)
        var model = try TrainableModel(checkpoint)
        var pass = TrainingPass(model.shape, on: Engine(threads: recomputes ? 1 : 2))
        pass.recomputes = recomputes
        let loss = goldenLoss(&pass, &model, TokenBatch(golden.sequences))
        #expect(abs(loss - golden.loss) < 1e-4 * max(1, abs(golden.loss)))

        let gradients = model.gradients
        let names = checkpoint.huggingFaceNames
        var tensors =
            names.tensors(of: gradients.embeddings()) + names.tensors(of: gradients.head())
        for index in model.shape.layers.indices {
            tensors += names.tensors(
                of: gradients.layer(index), at: index, headDimension: model.shape.headDimension)
        }
        var seen = 0
        for tensor in tensors {
            guard let wanted = golden.gradients[tensor.name] else { continue }
            seen += 1
            var (squares, product) = (0.0, 0.0)
            for (index, value) in tensor.elements.enumerated() {
                squares += Double(value) * Double(value)
                product += Double(value) * cos(0.7 * Double(index))
            }
            let norm = squares.squareRoot()
            // The biases of keys add the same value to all scores, so their gradient is rounding
            // noise.
            if wanted[0] < 1e-5, norm < 1e-5 { continue }
            #expect(abs(norm - wanted[0]) < 1e-3 * wanted[0] + 1e-6, "\(tensor.name)")
            #expect(abs(product / norm - wanted[1]) < 2e-3, "\(tensor.name)")
        }
        #expect(seen == golden.gradients.count)
    }

    @Test("the losses of twenty steps of AdamW agree with torch")
    func training() throws {
        let golden = try TorchGradients.read().losses
        var model = try TrainableModel(TorchGradients.checkpoint("llama"))
        let engine = Engine(threads: 2)
        var pass = TrainingPass(model.shape, on: engine)
        let optimiser = AdamW()
        for (step, wanted) in golden.enumerated() {
            let batch = TokenBatch(
                [3 * step, 3 * step + 1].map { shift in
                    (0..<24).map { Int32(3 + (7 * $0 + shift) % 90) }
                })
            let loss = goldenLoss(&pass, &model, batch)
            #expect(abs(loss - wanted) < 1e-3 * wanted, "step \(step)")
            let share = RateSchedule.cosine.share(at: step, of: golden.count, warmUp: 5)
            optimiser.step(&model, rate: Float(3e-3 * share), on: engine)
        }
    }

    @Test(
        "the training pass computes the same results as a model of the same weights",
        arguments: names)
    func emission(name: String) throws {
        var model = try TrainableModel(TorchGradients.checkpoint(name))
        let engine = Engine(threads: 2)
        var pass = TrainingPass(model.shape, on: engine)
        let batch = TokenBatch([[5, 9, 33, 60, 7], [12, 80]])
        _ = goldenLoss(&pass, &model, batch)
        AdamW().step(&model, rate: 0.01, on: engine)
        let hidden = pass.forward(model, batch)
        var other = ForwardPass(try Model(model), on: engine)
        expectClose(
            hidden.matrix.elements, other.hiddenStates(of: batch).matrix.elements, absolute: 1e-4)
    }

    @Test(
        "along a gradient the loss rises by the predicted amount, also with skipped layers",
        arguments: names)
    func direction(name: String) throws {
        let model = try TrainableModel(TorchGradients.checkpoint(name))
        let batch = TokenBatch([(0..<23).map { Int32(3 + 11 * $0 % 90) }, [4, 50, 8]])
        var pass = TrainingPass(model.shape, on: Engine(threads: 2))
        try expectSlope(model) { sineLoss(&pass, &$0, batch, skipping: [1]) }
    }

    @Test(
        "the loss of labels agrees with the head, and rises along its gradient as predicted",
        arguments: [
            "classifiers/bert", "classifiers/roberta", "classifiers/distilbert", "spans/bert",
            "spans/distilbert",
        ])
    func labels(name: String) throws {
        let checkpoint = try TorchGradients.fixture(name)
        let classifier = try #require(try checkpoint.classifier())
        let labels: [Label] =
            switch classifier.kind {
            case .labels(1): [.score(0.5), .score(-2), .score(1)]
            case .labels: [.category(1), .category(0), .category(1)]
            case .spans:
                [.span(first: 1, last: 3), .span(first: 0, last: 0), .span(first: 2, last: 2)]
            }
        let sequences: [[Int32]] = [[5, 9, 33, 60, 7], [12, 80], [44, 45, 46, 47]]
        let batch = TokenBatch(sequences.map { ($0, [Int32](repeating: 0, count: $0.count)) })
        let engine = Engine(threads: 2)
        var pass = TrainingPass(checkpoint.shape, on: engine)
        func loss(_ model: inout TrainableModel) -> Double {
            pass.labelLoss(&model, batch, labels: labels, factor: 0.5)
        }
        var start = try TrainableModel(checkpoint, classifier: classifier)
        let found = loss(&start)
        var forward = ForwardPass(try Model(checkpoint), on: engine)
        let hidden = forward.hiddenStates(of: batch)
        func surprise(_ logits: [Double], _ label: Int) -> Double {
            log(logits.reduce(0) { $0 + exp($1) }) - logits[label]
        }
        let wanted = zip(batch.sequences, labels).reduce(0.0) { sum, pair in
            let logits = classifier.logits(of: hidden.row(pair.0.lowerBound))
            switch pair.1 {
            case .category(let label): return sum + surprise(logits, label)
            case .span(let first, let last):
                let all = pair.0.map { classifier.logits(of: hidden.row($0)) }
                return sum
                    + (surprise(all.map { $0[0] }, first) + surprise(all.map { $0[1] }, last)) / 2
            case .score(let score):
                return sum + (logits[0] - Double(score)) * (logits[0] - Double(score))
            }
        }
        #expect(abs(found - wanted) < 1e-4 * max(1, wanted))

        try expectSlope(start, factor: 0.5, step: 0.003, loss: loss)
    }

    /// Returns a model with slightly changed matrices.
    private func disturbed(_ model: TrainableModel) throws -> TrainableModel {
        var model = model
        var random = SplitMix64(seed: 8)
        model.visit { _, parameter in
            guard parameter.decays else { return }
            for index in parameter.values.elements.indices {
                parameter.values.elements[index] *= Float.random(in: 0.8...1.2, using: &random)
            }
        }
        return try TrainableModel(model, classifier: model.classifier)
    }

    @Test(
        "a student equal to the teacher has no loss, and training lowers the loss of another",
        arguments: ["llama", "gpt2", "qwen3"], [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0.5, 0.3)])
    func distillation(name: String, shares: (Float, Float, Float)) throws {
        let checkpoint = try TorchGradients.checkpoint(name)
        let engine = Engine(threads: 2)
        var distillation = Distillation(from: try Model(checkpoint))
        distillation.temperature = 2
        (distillation.logitShare, distillation.streamShare, distillation.taskShare) = shares
        let batch = TokenBatch([(0..<17).map { Int32(3 + 11 * $0 % 90) }, [4, 50, 8]])
        var pass = TrainingPass(checkpoint.shape, on: engine)
        var same = try TrainableModel(checkpoint)
        let nothing = pass.distil(&same, by: distillation, batch, factor: 1)
        if shares.2 == 0 { #expect(abs(nothing) < 1e-4) }
        try expectSlope(disturbed(same)) {
            pass.distil(&$0, by: distillation, batch, factor: 1)
        }
    }

    @Test(
        "training lowers the loss with a mixture and with the student's own text",
        arguments: [Float(0.1), 0.5, 0.9, 1])
    func mixture(mixture: Float) throws {
        let checkpoint = try TorchGradients.checkpoint("llama")
        var distillation = Distillation(from: try Model(checkpoint))
        (distillation.mixture, distillation.streamShare) = (mixture, 0)
        let batch = TokenBatch([(0..<17).map { Int32(3 + 11 * $0 % 90) }])
        var pass = TrainingPass(checkpoint.shape, on: Engine(threads: 1))
        var same = try TrainableModel(checkpoint)
        #expect(abs(pass.distil(&same, by: distillation, batch, factor: 1)) < 1e-4)
        try expectSlope(disturbed(same)) {
            pass.distil(&$0, by: distillation, batch, factor: 1)
        }
        distillation.onPolicyShare = 1
        var settings = Trainer.Settings(steps: 12, rate: 0.003)
        (settings.batch, settings.distillation) = (4, distillation)
        let data = TrainingData.text(
            (0..<8).map { start in TextSequence((0..<24).map { Int32(start + $0) }) })
        func losses() throws -> [Double] {
            var trainer = Trainer(
                try disturbed(same), on: data, settings: settings, engine: Engine(threads: 2))
            return try (0..<12).map { _ in try trainer.advance().loss }
        }
        let found = try losses()
        #expect(found.suffix(3).reduce(0, +) < found.prefix(3).reduce(0, +))
        #expect(try losses() == found)
    }

    @Test(
        "training changes everything but frozen embeddings",
        arguments: ["llama", "qwen2", "gpt2", "opt"])
    func frozen(name: String) throws {
        let data = TrainingData.text(
            [0, 40].map { first in TextSequence((0..<24).map { Int32(first + $0) }) })
        try expectFrozen(TrainableModel(TorchGradients.checkpoint(name)), on: data)
    }

    @Test(
        "training of encoders changes everything but frozen embeddings",
        arguments: ["classifiers/bert", "classifiers/roberta", "classifiers/distilbert"])
    func frozenEncoder(name: String) throws {
        let checkpoint = try TorchGradients.fixture(name)
        let classifier = try #require(try checkpoint.classifier())
        let label: (Int) -> Label = {
            classifier.kind == .labels(1) ? .score(Float($0)) : .category($0)
        }
        let data = TrainingData.labelled(
            [0, 1].map { place in
                let ids = (0..<12).map { Int32(5 + 40 * place + $0) }
                return LabelledSequence(
                    ids: ids, typeIDs: ids.map { _ in 0 }, label: label(place))
            })
        try expectFrozen(TrainableModel(checkpoint, classifier: classifier), on: data)
    }

    /// Expects a few steps to lower the loss and to change all weights except frozen embeddings.
    private func expectFrozen(_ start: TrainableModel, on data: TrainingData) throws {
        var settings = Trainer.Settings(steps: 6, rate: 0.003)
        (settings.batch, settings.freezesEmbeddings) = (2, true)
        var trainer = Trainer(start, on: data, settings: settings, engine: Engine(threads: 2))
        let losses = try (0..<6).map { _ in try trainer.advance().loss }
        #expect(losses[5] < losses[0])
        var (before, after) = ([String: [Float]](), [String: [Float]]())
        var (old, new) = (start, trainer.model)
        old.visit { before[$0] = $1.values.elements }
        new.visit { after[$0] = $1.values.elements }
        for (name, values) in before {
            let stays =
                name == "head.weight"
                || name.hasPrefix("embeddings.") && !name.hasPrefix("embeddings.norm")
            #expect((after[name] == values) == stays, "\(name)")
        }
    }

    @Test(
        "training lowers the distance of an encoder's hidden states from the teacher's",
        arguments: ["bert", "roberta", "distilbert"])
    func states(name: String) throws {
        let checkpoint = try TorchGradients.checkpoint(name)
        let distillation = Distillation(from: try Model(checkpoint))
        let batch = TokenBatch([[5, 9, 33, 60, 7], [12, 80]])
        var pass = TrainingPass(checkpoint.shape, on: Engine(threads: 2))
        var same = try TrainableModel(checkpoint)
        #expect(abs(pass.distil(&same, by: distillation, batch, factor: 1)) < 1e-6)
        try expectSlope(disturbed(same)) {
            pass.distil(&$0, by: distillation, batch, factor: 1)
        }
    }

    @Test(
        "a student learns labels from a teacher",
        arguments: [
            "classifiers/bert", "classifiers/roberta", "classifiers/distilbert", "spans/roberta",
        ])
    func labelDistillation(name: String) throws {
        let checkpoint = try TorchGradients.fixture(name)
        let classifier = try #require(try checkpoint.classifier())
        var distillation = Distillation(from: try Model(checkpoint), classifier: classifier)
        (distillation.temperature, distillation.taskShare) = (3, 0.2)
        let labels: [Label] =
            switch classifier.kind {
            case .labels(1): [.score(0.5), .score(-2)]
            case .labels: [.category(1), .category(0)]
            case .spans: [.span(first: 1, last: 4), .span(first: 0, last: 1)]
            }
        let batch = TokenBatch([[5, 9, 33, 60, 7], [12, 80]])
        var pass = TrainingPass(checkpoint.shape, on: Engine(threads: 2))
        let same = try TrainableModel(checkpoint, classifier: classifier)
        try expectSlope(disturbed(same), factor: 0.5, step: 0.002) {
            pass.labelLoss(&$0, batch, labels: labels, by: distillation, factor: 0.5)
        }
    }
}
