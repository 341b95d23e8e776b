internal import Foundation
internal import Tensors
internal import Tokenizers
internal import Transformers

extension Continuation {
    /// Divides a text into windows in which each token is predicted once, as
    /// lm-evaluation-harness does.
    ///
    /// The first window begins with the token that opens a text. A later window begins with the
    /// last token of the window before. The last window begins earlier, so that its first
    /// predictions have as many tokens before them as the model's positions allow.
    static func windows(of text: String, tokenizer: some Tokenizer, most: Int) -> [Continuation] {
        let opening = tokenizer.beginningOfText ?? tokenizer.endOfText ?? 0
        let tokens = [opening] + tokenizer.encode(text, addingSpecialTokens: false)
        return stride(from: 1, to: tokens.count, by: most).map { first in
            let end = min(first + most, tokens.count)
            return Continuation(tokens: Array(tokens[max(0, end - most - 1)..<end]), end - first)
        }
    }

    private init(tokens: [Int32], _ predicted: Int) {
        (self.tokens, self.predicted) = (tokens, predicted)
    }
}

/// The sizes of a text, by which its information is divided.
struct TextSize {
    /// The number of parts between runs of white space, as lm-evaluation-harness counts words.
    let words: Int
    /// The number of bytes of UTF-8.
    let bytes: Int

    init(_ text: String) {
        bytes = text.utf8.count
        // The pattern `\s` of Python also matches four control characters.
        let areSpaces = text.unicodeScalars.map {
            $0.properties.isWhitespace || (0x1c...0x1f).contains($0.value)
        }
        words = 1 + areSpaces.indices.count { areSpaces[$0] && ($0 == 0 || !areSpaces[$0 - 1]) }
    }
}

extension EvaluationTask {
    /// Computes the information of texts under a model.
    ///
    /// The score of an item is its bits per byte. The value is that of all items together.
    func predicted(
        _ model: Model, _ tokenizer: some Tokenizer, _ engine: Engine,
        _ progress: (Double) throws -> Void
    ) throws -> TaskResult {
        var (scores, total, words, bytes) = ([Double](), 0.0, 0, 0)
        for (index, item) in items.enumerated() {
            guard case .page(let text, let original) = item else { continue }
            let windows = Continuation.windows(
                of: text, tokenizer: tokenizer, most: model.shape.maximumPositions)
            let found = try Likelihood.all(of: windows, by: model, on: engine) {
                let done = Double(index) + Double($0) / Double(windows.count)
                try progress(done / Double(items.count))
            }
            let logarithm = found.reduce(0) { $0 + $1.logarithm }
            let size = TextSize(original)
            scores.append(-logarithm / Double(size.bytes) / log(2))
            (total, words, bytes) = (total + logarithm, words + size.words, bytes + size.bytes)
        }
        let mean = TaskResult(name: name, metric: "bits_per_byte", scores: scores)
        return TaskResult(
            name: name, metric: mean.metric, value: -total / Double(bytes) / log(2),
            standardError: mean.standardError, scores: scores,
            others: [
                "byte_perplexity": exp(-total / Double(bytes)),
                "word_perplexity": exp(-total / Double(words)),
            ])
    }
}
