import Evaluation
import Pruning
import Reporting
import Tensors
import Transformers

/// What the dense model and the pruned ones write, for people to compare.
extension PruneRun {
    /// The beginnings of a few held-out sequences.
    private func prompts(of text: CalibrationText) -> [[Int32]] {
        let (wanted, length) = (3, 48)
        let count = min(wanted, text.heldOut.count)
        return (0..<count).map { index in
            let sequence = text.heldOut[index * text.heldOut.count / count]
            return Array(sequence.prefix(min(length, max(1, sequence.count / 2))))
        }
    }

    /// What a model makes of them; nil for encoders.
    func continuations(by model: Model, of text: CalibrationText) throws -> [String]? {
        guard !model.shape.architecture.isEncoder else { return nil }
        return try Evaluation.continuations(
            of: prompts(of: text), by: model, tokenizer: try dense.checkpoint.tokenizer(),
            engine: engine)
    }

    /// What the dense model makes of them; nil for encoders.
    func samples(of text: CalibrationText) throws -> [TextSample]? {
        if let known = directory.read([TextSample].self, Product.samples) { return known }
        let tokenizer = try dense.checkpoint.tokenizer()
        let samples = try continuations(by: try baseline(), of: text).map {
            zip(prompts(of: text), $0).map {
                TextSample(prompt: tokenizer.decode($0), dense: $1)
            }
        }
        if let samples { try directory.write(samples, Product.samples) }
        return samples
    }
}
