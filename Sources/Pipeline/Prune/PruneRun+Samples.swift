internal import Evaluation
internal import Pruning
internal import Reporting
internal import Tensors
internal import Tokenizers
internal import Transformers

/// Texts that the dense model and the pruned models generate, for people to compare.
extension PruneRun {
    /// The beginnings of some held-out sequences.
    private func prompts(
        of text: CalibrationText, _ tokenizer: some Tokenizer
    ) -> [(tokens: [Int32], isSentence: Bool)] {
        let (sampleCount, length) = (3, 48)
        let count = min(sampleCount, text.heldOut.count)
        return (0..<count).map { index in
            let sequence = text.heldOut[index * text.heldOut.count / count]
            let beginning = TextBeginning(of: sequence, tokenizer: tokenizer)
            let most = min(length, max(1, beginning.tokens.count / 2))
            return (beginning.prefix(most, tokenizer: tokenizer), beginning.isSentence)
        }
    }

    /// Returns the continuations of the prompts by a model; nil for encoders.
    func continuations(by model: Model, of text: CalibrationText) throws -> [String]? {
        guard !model.shape.architecture.isEncoder else { return nil }
        let tokenizer = try dense.checkpoint.tokenizer()
        return try Evaluation.continuations(
            of: prompts(of: text, tokenizer).map(\.tokens), by: model, tokenizer: tokenizer,
            engine: engine)
    }

    /// Returns the continuations of the prompts by the dense model; nil for encoders.
    func samples(of text: CalibrationText) throws -> [TextSample]? {
        if let known = directory.read([TextSample].self, Product.samples) { return known }
        let tokenizer = try dense.checkpoint.tokenizer()
        let samples = try continuations(by: try baseline(), of: text).map {
            zip(prompts(of: text, tokenizer), $0).map { prompt, writing in
                TextSample(
                    prompt: (prompt.isSentence ? "" : "…") + tokenizer.decode(prompt.tokens),
                    dense: writing)
            }
        }
        if let samples { try directory.write(samples, Product.samples) }
        return samples
    }
}
