internal import Evaluation
internal import Pruning
internal import Reporting
internal import Tensors
internal import Tokenizers
internal import Transformers

/// Texts that the dense model and the pruned models generate, for people to compare.
extension PruneRun {
    /// A prompt as the reader sees it, and its tokens.
    private struct Prompt {
        let shown: String
        let tokens: [Int32]
    }

    /// Questions to a model that was trained to chat.
    private static let questions = [
        "What is the capital of France, and what is it known for?",
        "I have three apples and eat one. How many are left?",
        "Write two sentences about the sea.",
    ]

    /// Returns questions in the model's chat template, if it has one, and the beginnings of some
    /// held-out sequences.
    private func prompts(of text: CalibrationText, _ tokenizer: some Tokenizer) -> [Prompt] {
        let chat = chatPrompts(tokenizer)
        let (sampleCount, length) = (chat.isEmpty ? 3 : 1, 48)
        let count = min(sampleCount, text.heldOut.count)
        return chat
            + (0..<count).map { index in
                let sequence = text.heldOut[index * text.heldOut.count / count]
                let beginning = TextBeginning(of: sequence, tokenizer: tokenizer)
                let most = min(length, max(1, beginning.tokens.count / 2))
                let tokens = beginning.prefix(most, tokenizer: tokenizer)
                return Prompt(
                    shown: (beginning.isSentence ? "" : "…") + tokenizer.decode(tokens) + " …",
                    tokens: tokens)
            }
    }

    /// Returns the questions in the model's chat template; none if it has no template that can be
    /// used.
    private func chatPrompts(_ tokenizer: some Tokenizer) -> [Prompt] {
        guard let format = try? dense.checkpoint.chatFormat(with: tokenizer) else { return [] }
        return Self.questions.compactMap { question in
            let text = try? format([ChatMessage(role: "user", content: question)])
            return text.map {
                Prompt(
                    shown: question, tokens: tokenizer.encode($0, addingSpecialTokens: false))
            }
        }.filter { $0.tokens.count < dense.shape.maximumPositions / 2 }
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
                TextSample(prompt: prompt.shown, dense: writing)
            }
        }
        if let samples { try directory.write(samples, Product.samples) }
        return samples
    }
}
