internal import Tensors
internal import Tokenizers
internal import Transformers

/// A text as tokens; the last tokens are predicted.
struct Continuation {
    /// All tokens; at least one comes before the predicted tokens.
    let tokens: [Int32]
    /// The number of predicted tokens at the end.
    let predicted: Int

    /// Splits a prompt and its continuation into tokens, as lm-evaluation-harness does.
    ///
    /// Spaces at the end of the prompt belong to the continuation. One token can contain the end of
    /// the prompt and the beginning of the continuation.
    ///
    /// - Parameters:
    ///   - prompt: The prompt. If it is empty, the token that opens a text replaces it.
    ///   - text: The continuation, of at least one token.
    ///   - tokenizer: The model's tokenizer.
    ///   - most: The maximum number of tokens of the model. The beginning of longer texts is cut
    ///     off.
    init(_ prompt: String, _ text: String, tokenizer: some Tokenizer, most: Int) {
        let opening = tokenizer.beginningOfText ?? tokenizer.endOfText ?? 0
        var all = tokenizer.encode(prompt + text, addingSpecialTokens: false)
        var before = 0
        if prompt.isEmpty {
            all.insert(opening, at: 0)
            before = 1
        } else {
            let bare = String(prompt.reversed().drop { $0.isWhitespace }.reversed())
            before = tokenizer.encode(bare, addingSpecialTokens: false).count
        }
        let predicted = max(1, all.count - max(before, 1))
        if all.count == 1 { all.insert(opening, at: 0) }
        tokens = Array(all.suffix(most + 1))
        self.predicted = min(predicted, tokens.count - 1)
    }

    /// Joins the tokens of a prompt and of a generated text.
    init(_ prompt: [Int32], _ written: [Int32]) {
        tokens = prompt + written
        predicted = written.count
    }
}

/// The likelihood of a continuation under a model.
struct Likelihood {
    /// The sum of the log probabilities of the predicted tokens.
    let logarithm: Double
    /// Whether each predicted token is the most likely token.
    let isGreedy: Bool

    /// Computes the likelihoods of continuations, in batches of some thousand tokens.
    static func all(
        of continuations: [Continuation], by model: Model, on engine: Engine,
        progress: (Int) throws -> Void
    ) throws -> [Likelihood] {
        var pass = ForwardPass(model, on: engine)
        var found: [Likelihood] = []
        while found.count < continuations.count {
            var (batch, tokens) = ([Continuation](), 0)
            for continuation in continuations[found.count...] where tokens < 4096 {
                batch.append(continuation)
                tokens += continuation.tokens.count
            }
            found += try likelihoods(of: batch, &pass)
            try progress(found.count)
        }
        return found
    }

    private static func likelihoods(
        of batch: [Continuation], _ pass: inout ForwardPass
    ) throws -> [Likelihood] {
        let engine = pass.engine
        let inputs = TokenBatch(batch.map { Array($0.tokens.dropLast()) })
        var (rows, expected) = ([Int](), [Int32]())
        for (range, continuation) in zip(inputs.sequences, batch) {
            rows += range.suffix(continuation.predicted)
            expected += continuation.tokens.suffix(continuation.predicted)
        }
        var (logarithms, hits) = ([Double](), [Bool]())
        try pass.logits(of: inputs, at: rows) { places, logits in
            for row in 0..<logits.rows {
                try NonFiniteError.check(logits.row(row), "the logits of the task's texts")
            }
            let (normalisers, best) = (engine.logSumExp(logits), engine.largestColumn(logits))
            for (index, place) in places.enumerated() {
                let token = Int(expected[place])
                logarithms.append(Double(logits[index, token]) - normalisers[index])
                hits.append(best[index] == token)
            }
        }
        var first = 0
        return batch.map { continuation in
            let places = first..<first + continuation.predicted
            first = places.upperBound
            return Likelihood(
                logarithm: logarithms[places].reduce(0, +),
                isGreedy: hits[places].allSatisfy(\.self))
        }
    }
}
