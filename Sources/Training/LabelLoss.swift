internal import Foundation
internal import Tensors
public import Transformers

/// A head that labels sequences and is trained.
struct TrainableClassifier: Sendable {
    var dense: TrainableLinear
    var output: TrainableLinear
    let isRectified: Bool

    init(_ classifier: Classifier, in arena: Arena) {
        dense = TrainableLinear(classifier.dense, in: arena)
        output = TrainableLinear(classifier.output, in: arena)
        isRectified = classifier.isRectified
    }

    /// The head so far.
    var classifier: Classifier {
        Classifier(
            dense: dense.projection, output: output.projection, isRectified: isRectified)
    }

    /// Visits every parameter in one order.
    mutating func visit(
        _ name: String, _ body: (String, inout Parameter) throws -> Void
    ) rethrows {
        try dense.visit(name + ".dense", body)
        try output.visit(name + ".output", body)
    }

    /// Brings changed weights to where products read them.
    func pack() {
        dense.pack()
        output.pack()
    }
}

/// What a sequence is labelled with.
public enum Label: Sendable, Equatable {
    /// One of several classes; the loss is its negative log-likelihood.
    case category(Int)
    /// A value; the loss is the squared error.
    case score(Float)
}

extension TrainingPass {
    /// The loss of labels under an encoder's head; gathers the gradients of `factor` times it.
    ///
    /// - Parameters:
    ///   - model: An encoder with a head for labels.
    ///   - batch: The sequences.
    ///   - labels: One for each, all categories or all scores.
    ///   - factor: What gradients are multiplied with, such as one over the number of sequences.
    ///   - skipped: Layers that are left out this time.
    /// - Returns: The sum over sequences.
    public mutating func labelLoss(
        _ model: inout TrainableModel, _ batch: TokenBatch, labels: [Label], factor: Float,
        skipping skipped: Set<Int> = []
    ) -> Double {
        precondition(labels.count == batch.sequences.count, "a label for every sequence")
        guard var head = model.labelling else { return 0 }
        let hidden = forward(model, batch, skipping: skipped)
        var (first, raw, logits, slope) = (
            Activations(), Activations(), Activations(), Activations()
        )
        engine.select(hidden, rows: batch.sequences.map(\.lowerBound), into: &first)
        head.dense.apply(to: first, into: &raw, on: engine)
        let inner = raw.matrix
        let active = Activations(inner.map { head.isRectified ? max(0, $0) : tanh($0) })
        head.output.apply(to: active, into: &logits, on: engine)

        let loss: Double
        let categories = labels.compactMap { label -> Int32? in
            if case .category(let index) = label { Int32(index) } else { nil }
        }
        if categories.count == labels.count {
            loss = engine.differentiateCrossEntropy(&logits, targets: categories, factor: factor)
        } else {
            var errors = logits.matrix
            for (row, label) in labels.enumerated() {
                guard case .score(let score) = label else { continue }
                errors[row, 0] -= score
            }
            loss = errors.elements.reduce(0) { $0 + Double($1) * Double($1) }
            logits = Activations(errors.map { 2 * factor * $0 })
        }

        head.output.gather(logits, inputs: active, on: engine)
        head.output.gradientByInputs(logits, into: &slope, on: engine)
        var gradient = slope.matrix
        let outer = active.matrix
        for index in gradient.elements.indices {
            let (value, y) = (inner.elements[index], outer.elements[index])
            gradient.elements[index] *= head.isRectified ? (value > 0 ? 1 : 0) : 1 - y * y
        }
        let inside = Activations(gradient)
        head.dense.gather(inside, inputs: first, on: engine)
        head.dense.gradientByInputs(inside, into: &slope, on: engine)
        model.labelling = head

        var whole = Matrix<Float>(rows: hidden.rows, columns: hidden.columns)
        for (row, rows) in batch.sequences.enumerated() {
            for (column, value) in slope.row(row).enumerated() {
                whole[rows.lowerBound, column] = value
            }
        }
        backward(&model, Activations(whole))
        return loss
    }
}

extension Matrix<Float> {
    /// Every element changed by itself.
    fileprivate func map(_ change: (Float) -> Float) -> Matrix {
        Matrix(rows: rows, columns: columns, elements: elements.map(change))
    }
}
