internal import Foundation
public import ModelFiles
internal import Tensors

/// The head of an encoder, which labels a sequence by its first token, or finds a span in it.
///
/// Logits of labels are `out · f(dense · h + b) + c` with h the first token's last hidden state, and
/// f the hyperbolic tangent, in DistilBERT max(0, ·). Where spans are found every token has logits
/// `out · h + c`: of the span's beginning and of its end.
public struct Classifier: Sendable {
    /// Shape `[hidden, hidden]`; nil where spans are found.
    public let dense: Projection?
    /// Shape `[labels, hidden]`.
    public let output: Projection
    /// Whether f is max(0, ·).
    public let isRectified: Bool

    /// What a head says of a sequence.
    public enum Kind: Sendable, Equatable {
        /// How likely each of so many labels is; of one, how great it is.
        case labels(Int)
        /// How likely a span that answers a question begins and ends at each token.
        case spans
    }

    /// The class of head.
    public var taskHead: TaskHead { dense == nil ? .span : .sequence }

    /// What the head says.
    public var kind: Kind { dense == nil ? .spans : .labels(output.weight.rows) }

    /// Creates a head.
    public init(dense: Projection?, output: Projection, isRectified: Bool) {
        self.dense = dense
        self.output = output
        self.isRectified = isRectified
    }

    /// The logits of a sequence, one for each label, or of one of its tokens.
    ///
    /// - Parameter hidden: The last hidden state of its first token, or of that token.
    /// - Returns: The logits in the order of the labels; of beginning and end.
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
    /// What tensors of an encoder of this family with a head are called; nil for decoders.
    public var classifyingNames: TensorNames? { headPrefix.map(tensors.names(prefix:)) }

    /// What the parts of a sequence classifier's head are called, and whether f is max(0, ·); nil
    /// for decoders.
    fileprivate var classifierNames: (inner: String, outer: String, isRectified: Bool)? {
        guard let names = classifyingNames,
            let output = outputs(of: .sequence, names: names)?.first, let inner = output.dense
        else { return nil }
        return (inner, output.output, output.activation == .relu)
    }
}

extension Checkpoint {
    /// Reads the head of an encoder; nil where it has none.
    ///
    /// - Throws: ``ModelFileError`` where it has sizes that do not fit the model.
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

    /// A head to be trained: the model's own where it is of the kind, else one that says nothing
    /// yet, over the pooler that the model has.
    ///
    /// - Parameters:
    ///   - kind: What it is to say.
    ///   - seed: Decides the weights that are new.
    /// - Returns: The head.
    /// - Throws: ``ModelFileError`` where it is no encoder, or a part has other sizes.
    public func classifier(
        _ kind: Classifier.Kind, seed: UInt64
    ) throws(ModelFileError) -> Classifier {
        if let known = try classifier(), known.kind == kind { return known }
        guard let names = config.family.classifierNames else {
            throw ModelFileError(
                file: path, problem: "a decoder has no head for labels", remedy: "name an encoder")
        }
        let width = shape.hiddenSize
        func fresh(_ rows: Int, _ seed: UInt64) -> Projection {
            var weight = Matrix<Float>(randomRows: rows, columns: width, seed: seed)
            // As BERT begins: a spread of 0.02, here of evenly spread values.
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

    /// A head's tensors as an encoder of this family with such a head has them.
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
