internal import Foundation
public import ModelFiles
internal import Tensors

/// The head of a sequence classifier, which labels a sequence by its first token.
///
/// Logits are `out · f(dense · h + b) + c` with h the token's last hidden state, and f the
/// hyperbolic tangent, in DistilBERT max(0, ·).
public struct Classifier: Sendable {
    private let dense: Projection
    private let output: Projection
    private let isRectified: Bool

    /// How many labels there are; 1 for a regression.
    public var labels: Int { output.weight.rows }

    init(dense: Projection, output: Projection, isRectified: Bool) {
        self.dense = dense
        self.output = output
        self.isRectified = isRectified
    }

    /// The logits of a sequence, one for each label.
    ///
    /// - Parameter hidden: The last hidden state of its first token.
    /// - Returns: The logits in the order of the labels.
    public func logits(of hidden: some Collection<Float>) -> [Double] {
        let inner = dense.applied(to: hidden.map(Double.init)).map {
            isRectified ? max(0, $0) : tanh($0)
        }
        return output.applied(to: inner)
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

extension Checkpoint {
    /// Reads the head of a sequence classifier; nil where the model is none.
    ///
    /// - Throws: ``ModelFileError`` where it has sizes that do not fit the model.
    public func classifier() throws(ModelFileError) -> Classifier? {
        let (inner, outer, isRectified): (String, String, Bool)
        switch config.family {
        case .bert:
            let prefix = file.has("bert.pooler.dense.weight") ? "bert." : ""
            (inner, outer, isRectified) = (prefix + "pooler.dense", "classifier", false)
        case .roberta, .xlmRoberta:
            (inner, outer, isRectified) = ("classifier.dense", "classifier.out_proj", false)
        case .distilbert: (inner, outer, isRectified) = ("pre_classifier", "classifier", true)
        case .llama, .mistral, .qwen2, .qwen3, .gpt2, .opt: return nil
        }
        guard file.has(inner + ".weight"), let labels = file.shape(of: outer + ".weight")?.first
        else { return nil }
        return Classifier(
            dense: try projection(inner, shape.hiddenSize, shape.hiddenSize),
            output: try projection(outer, labels, shape.hiddenSize), isRectified: isRectified)
    }
}
