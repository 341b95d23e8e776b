internal import Foundation
internal import Tensors
public import Transformers

/// A trainable head that labels sequences, or finds spans in them.
struct TrainableClassifier: Sendable {
    var dense: TrainableLinear?
    var output: TrainableLinear
    let isRectified: Bool

    init(_ classifier: Classifier, in arena: Arena) {
        dense = classifier.dense.map { TrainableLinear($0, in: arena) }
        output = TrainableLinear(classifier.output, in: arena)
        isRectified = classifier.isRectified
    }

    /// The current head.
    var classifier: Classifier {
        Classifier(
            dense: dense?.projection, output: output.projection, isRectified: isRectified)
    }

    /// Calls `body` with every parameter, always in the same order.
    mutating func visit(
        _ name: String, _ body: (String, inout Parameter) throws -> Void
    ) rethrows {
        try dense?.visit(name + ".dense", body)
        try output.visit(name + ".output", body)
    }

    /// Packs changed weights for products.
    mutating func pack() {
        dense?.pack()
        output.pack()
    }
}

/// The label of a sequence.
public enum Label: Sendable, Equatable {
    /// One of several classes; the loss is its negative log-likelihood.
    case category(Int)
    /// A value; the loss is the squared error.
    case score(Float)
    /// The first and last token of a span; the loss is the mean of their negative log-likelihoods.
    case span(first: Int, last: Int)
}

extension TrainingPass {
    /// Computes the loss of an encoder's head with labels, with a teacher, or with both.
    ///
    /// Its gradients, multiplied by `factor`, are added to the model's gradients.
    ///
    /// - Parameters:
    ///   - model: An encoder with a classifier.
    ///   - batch: The sequences.
    ///   - labels: One label for each sequence. All labels have the same case.
    ///   - distillation: The teacher, if there is one.
    ///   - factor: The factor of gradients, such as one divided by the number of sequences.
    ///   - skipped: The layers that are skipped in this step.
    /// - Returns: The sum of the loss over sequences, without the factor.
    public mutating func labelLoss(
        _ model: inout TrainableModel, _ batch: TokenBatch, labels: [Label],
        by distillation: Distillation? = nil, factor: Float, skipping skipped: Set<Int> = []
    ) -> Double {
        precondition(labels.count == batch.sequences.count, "each sequence needs a label")
        guard var head = model.labelling else { return 0 }
        let teacherOutputs = distillation.map { TeacherOutputs($0, batch, on: engine) }
        var streams: [Int: Activations] = [:]
        let hidden = forward(model, batch, skipping: skipped) { layer, stream in
            if teacherOutputs != nil { streams[layer] = stream }
        }
        var loss: Double
        let whole: Activations
        if head.dense == nil {
            (loss, whole) = spanLoss(&head, hidden, batch, labels, teacherOutputs, factor)
        } else {
            (loss, whole) = firstTokenLoss(&head, hidden, batch, labels, teacherOutputs, factor)
        }
        model.labelling = head
        // The loss of streams is a sum over tokens. This factor scales it like a sum over
        // sequences.
        let share = factor * Float(batch.sequences.count) / Float(max(batch.ids.count, 1))
        backward(&model, whole) { layer, gradient in
            guard let stream = streams[layer], let teacherOutputs else { return }
            loss +=
                teacherOutputs.compare(stream, after: layer, factor: share, addingTo: &gradient)
                / Double(factor)
        }
        return loss
    }

    /// Computes the loss of a head's outputs for first tokens, and its gradient.
    ///
    /// The gradient is with respect to all hidden states.
    private func firstTokenLoss(
        _ head: inout TrainableClassifier, _ hidden: Activations, _ batch: TokenBatch,
        _ labels: [Label], _ teacherOutputs: TeacherOutputs?, _ factor: Float
    ) -> (loss: Double, gradient: Activations) {
        var (first, raw, logits, slope) = (
            Activations(), Activations(), Activations(), Activations()
        )
        engine.select(hidden, rows: batch.sequences.map(\.lowerBound), into: &first)
        head.dense?.apply(to: first, into: &raw, on: engine)
        let inner = raw.matrix
        let active = Activations(inner.map { head.isRectified ? max(0, $0) : tanh($0) })
        head.output.apply(to: active, into: &logits, on: engine)
        let given = teacherOutputs?.logits(of: batch.sequences.map(\.lowerBound))
        let loss = differentiateMixed(
            &logits, labels: labels, from: given, teacherOutputs, factor: factor)

        head.output.gather(logits, inputs: active, on: engine)
        head.output.gradientByInputs(logits, into: &slope, on: engine)
        var gradient = slope.matrix
        let outer = active.matrix
        for index in gradient.elements.indices {
            let (value, y) = (inner.elements[index], outer.elements[index])
            gradient.elements[index] *= head.isRectified ? (value > 0 ? 1 : 0) : 1 - y * y
        }
        let inside = Activations(gradient)
        head.dense?.gather(inside, inputs: first, on: engine)
        head.dense?.gradientByInputs(inside, into: &slope, on: engine)

        var whole = Matrix<Float>(rows: hidden.rows, columns: hidden.columns)
        for (row, rows) in batch.sequences.enumerated() {
            for (column, value) in slope.row(row).enumerated() {
                whole[rows.lowerBound, column] = value
            }
        }
        return (loss, Activations(whole))
    }

    /// Computes the loss of a span head, and its gradient with respect to all hidden states.
    private func spanLoss(
        _ head: inout TrainableClassifier, _ hidden: Activations, _ batch: TokenBatch,
        _ labels: [Label], _ teacherOutputs: TeacherOutputs?, _ factor: Float
    ) -> (loss: Double, gradient: Activations) {
        var (logits, gradient) = (Activations(), Activations())
        head.output.apply(to: hidden, into: &logits, on: engine)
        let all = logits.matrix
        var loss = 0.0
        var slopes = Matrix<Float>(rows: hidden.rows, columns: 2)
        for (rows, label) in zip(batch.sequences, labels) {
            guard case .span(let first, let last) = label else { continue }
            var scores = Activations(all.transposed(rows: rows))
            let given = teacherOutputs.map {
                Activations($0.logits(of: Array(rows)).matrix.transposed(rows: 0..<rows.count))
            }
            loss +=
                differentiateMixed(
                    &scores, labels: [.category(first), .category(last)], from: given,
                    teacherOutputs,
                    factor: factor / 2) / 2
            for (row, place) in rows.enumerated() {
                for side in 0..<2 { slopes[place, side] = scores[side, row] }
            }
        }
        let slope = Activations(slopes)
        head.output.gather(slope, inputs: hidden, on: engine)
        head.output.gradientByInputs(slope, into: &gradient, on: engine)
        return (loss, gradient)
    }

    /// Returns the loss of logits with labels and with a teacher.
    ///
    /// The logits are replaced by the gradient.
    private func differentiateMixed(
        _ logits: inout Activations, labels: [Label], from given: Activations?,
        _ teacherOutputs: TeacherOutputs?, factor: Float
    ) -> Double {
        guard let given, let shares = teacherOutputs?.distillation else {
            return differentiate(&logits, labels: labels, factor: factor)
        }
        var task = logits
        var loss =
            Double(shares.taskShare)
            * differentiate(&task, labels: labels, factor: shares.taskShare * factor)
        if logits.columns > 1 {
            loss +=
                Double(shares.logitShare)
                * engine.differentiateDivergence(
                    &logits, from: given, temperature: shares.temperature,
                    mixture: shares.mixture, factor: shares.logitShare * factor)
        } else {
            let scores = (0..<given.rows).map { Label.score(given[$0, 0]) }
            loss +=
                Double(shares.logitShare)
                * differentiate(&logits, labels: scores, factor: shares.logitShare * factor)
        }
        logits.add(task, times: 1)
        return loss
    }

    /// Returns the loss of logits with labels.
    ///
    /// The logits are replaced by the gradient.
    private func differentiate(
        _ logits: inout Activations, labels: [Label], factor: Float
    ) -> Double {
        let categories = labels.compactMap { label -> Int32? in
            if case .category(let index) = label { Int32(index) } else { nil }
        }
        guard categories.count < labels.count else {
            return engine.differentiateCrossEntropy(&logits, targets: categories, factor: factor)
        }
        var errors = logits.matrix
        for (row, label) in labels.enumerated() {
            guard case .score(let score) = label else { continue }
            errors[row, 0] -= score
        }
        logits = Activations(errors.map { 2 * factor * $0 })
        return errors.elements.reduce(0) { $0 + Double($1) * Double($1) }
    }
}

extension TeacherOutputs {
    /// Returns the outputs of the teacher's head for some tokens.
    fileprivate func logits(of tokens: [Int]) -> Activations {
        let rows = tokens.map { token in
            (distillation.classifier?.logits(of: hidden.row(token)) ?? []).map(Float.init)
        }
        return Activations(
            Matrix(
                rows: rows.count, columns: rows.first?.count ?? 0, elements: rows.flatMap(\.self)))
    }
}

extension Matrix<Float> {
    /// Returns the matrix with a function applied to every element.
    fileprivate func map(_ change: (Float) -> Float) -> Matrix {
        Matrix(rows: rows, columns: columns, elements: elements.map(change))
    }

    /// Returns the transpose of some rows.
    fileprivate func transposed(rows range: Range<Int>) -> Matrix {
        Matrix(
            rows: columns, columns: range.count,
            elements: (0..<columns).flatMap { column in range.map { self[$0, column] } })
    }
}
