internal import Foundation
public import ModelFiles
internal import Tensors

/// A task head of an encoder, which labels a sequence or finds a span in it.
///
/// The logits of labels are `out · f(dense · h + b) + c`, with h the last hidden state of the first
/// token. The function f is tanh, or max(0, ·) in DistilBERT. A span head has two logits
/// `out · h + c` for each token: one for the first token of the span and one for the last.
public struct Classifier: Sendable {
    /// The first projection, `[hidden, hidden]`; nil for spans.
    public let dense: Projection?
    /// The last projection, `[labels, hidden]`, or `[2, hidden]` for spans.
    public let output: Projection
    /// Whether f is max(0, ·).
    public let isRectified: Bool

    /// The kind of result of a head.
    public enum Kind: Sendable, Equatable {
        /// One logit for each of a number of labels.
        ///
        /// If there is one label, its logit is a score, as in regression.
        case labels(Int)
        /// Two logits for each token: for the first and for the last token of a span that answers a
        /// question.
        case spans
    }

    /// The task head that the classifier belongs to.
    public var taskHead: TaskHead { dense == nil ? .span : .sequence }

    /// The kind of result.
    public var kind: Kind { dense == nil ? .spans : .labels(output.weight.rows) }

    /// Creates a head.
    public init(dense: Projection?, output: Projection, isRectified: Bool) {
        self.dense = dense
        self.output = output
        self.isRectified = isRectified
    }

    /// Computes the logits of a sequence, or of one token for a span head.
    ///
    /// - Parameter hidden: The last hidden state of the first token; for a span head, of any one
    ///   token.
    /// - Returns: The logits in the order of the labels. A span head returns two logits: for the
    ///   first and for the last token of the span.
    public func logits(of hidden: some Collection<Float>) -> [Double] {
        let hidden = hidden.map(Double.init)
        let inner = dense?.applied(to: hidden).map { isRectified ? max(0, $0) : tanh($0) }
        return output.applied(to: inner ?? hidden)
    }
}

extension Projection {
    fileprivate func applied(to inputs: [Double]) -> [Double] {
        (0..<weight.rows).map { row in
            zip(weight.row(row), inputs).reduce(Double(bias?[row] ?? 0)) {
                $0 + Double($1.0) * $1.1
            }
        }
    }
}

extension Family {
    /// The names of the tensors of an encoder of this family with a task head; nil for decoders.
    public var classifyingNames: TensorNames? { headPrefix.map(tensors.names(prefix:)) }

    /// The names of the two projections of a sequence classifier, and whether f is max(0, ·); nil
    /// for decoders.
    fileprivate var classifierNames: (inner: String, outer: String, isRectified: Bool)? {
        guard let names = classifyingNames,
            let output = outputs(of: .sequence, names: names)?.first, let inner = output.dense
        else { return nil }
        return (inner, output.output, output.activation == .relu)
    }
}

extension Checkpoint {
    /// Reads the classifier of an encoder; nil if the model has no classifier.
    ///
    /// - Throws: ``ModelFileError`` if the sizes of the classifier do not fit the model.
    public func classifier() throws(ModelFileError) -> Classifier? {
        guard let (inner, outer, isRectified) = config.family.classifierNames,
            let head = try? taskHead(), head == .sequence || head == .span
        else { return nil }
        if head == .span {
            return Classifier(
                dense: nil, output: try projection(TaskHead.spanOutput, 2, shape.hiddenSize),
                isRectified: isRectified)
        }
        guard let labels = file.shape(of: outer + ".weight")?.first else { return nil }
        return Classifier(
            dense: try projection(inner, shape.hiddenSize, shape.hiddenSize),
            output: try projection(outer, labels, shape.hiddenSize), isRectified: isRectified)
    }

    /// Creates a classifier to be trained.
    ///
    /// If the model has a classifier of this kind, that classifier is used. Otherwise the last
    /// projection is random, and the first projection is the model's pooler, or random if the model
    /// has no pooler.
    ///
    /// - Parameters:
    ///   - kind: The kind of result.
    ///   - seed: The seed of the random weights.
    /// - Returns: The classifier.
    /// - Throws: ``ModelFileError`` if the model is not an encoder, or a tensor has other sizes.
    public func classifier(
        _ kind: Classifier.Kind, seed: UInt64
    ) throws(ModelFileError) -> Classifier {
        if let known = try classifier(), known.kind == kind { return known }
        guard let names = config.family.classifierNames else {
            throw ModelFileError(
                file: path, problem: "a decoder has no classifier", remedy: "use an encoder")
        }
        let width = shape.hiddenSize
        func fresh(_ rows: Int, _ seed: UInt64) -> Projection {
            var weight = Matrix<Float>(randomRows: rows, columns: width, seed: seed)
            // The standard deviation is 0.02, as in BERT, but the distribution is uniform.
            let squares = weight.elements.reduce(0) { $0 + $1 * $1 }
            let share = 0.02 / (squares / Float(weight.elements.count)).squareRoot()
            for index in weight.elements.indices { weight.elements[index] *= share }
            return Projection(weight: weight, bias: [Float](repeating: 0, count: rows))
        }
        guard case .labels(let labels) = kind else {
            return Classifier(
                dense: nil, output: fresh(2, seed), isRectified: names.isRectified)
        }
        let pooler = ["bert.pooler.dense", "pooler.dense"].first { file.has($0 + ".weight") }
        return Classifier(
            dense: try pooler.map { name throws(ModelFileError) in
                try projection(name, width, width)
            } ?? fresh(width, seed),
            output: fresh(labels, seed &+ 1), isRectified: names.isRectified)
    }

    /// The tensors of a classifier, with the names that they have in this family's models.
    public func tensors(of classifier: Classifier) -> [NamedTensor] {
        guard let names = config.family.classifierNames else { return [] }
        let outer =
            classifier.kind == .spans ? TaskHead.spanOutput : names.outer
        return [(names.inner, classifier.dense), (outer, classifier.output)].flatMap {
            name, projection -> [NamedTensor] in
            guard let projection else { return [] }
            let (weight, bias) = (projection.weight, projection.bias ?? [])
            return [
                NamedTensor(
                    name: name + ".weight", shape: [weight.rows, weight.columns],
                    elements: weight.elements),
                NamedTensor(name: name + ".bias", shape: [bias.count], elements: bias),
            ]
        }
    }
}
