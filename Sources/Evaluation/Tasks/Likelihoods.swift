internal import Tensors
internal import Tokenizers
internal import Transformers

/// A text cut into tokens, the last of which are to be predicted.
struct Continuation {
    /// All tokens, at least one before those predicted.
    let tokens: [Int32]
    /// How many of the last ones are predicted.
    let predicted: Int

    /// The tokens of a prompt and of what follows it, as lm-evaluation-harness cuts them: blanks at
    /// the prompt's end belong to what follows, and tokens reach across the seam.
    ///
    /// - Parameters:
    ///   - prompt: May be empty; then the token that opens a text stands for it.
    ///   - text: What follows, of at least one token.
    ///   - tokenizer: The model's.
    ///   - most: The positions of the model; of longer texts the beginning is left out.
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

    /// Tokens written behind those of a prompt.
    init(_ prompt: [Int32], _ written: [Int32]) {
        tokens = prompt + written
        predicted = written.count
    }
}

/// What a model makes of a continuation.
struct Likelihood {
    /// The logarithm of the probability of the predicted tokens together.
    let logarithm: Double
    /// Whether each of them is the likeliest.
    let isGreedy: Bool

    /// The likelihoods of continuations, some thousand tokens at a time.
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
        var (rows, wanted) = ([Int](), [Int32]())
        for (range, continuation) in zip(inputs.sequences, batch) {
            rows += range.suffix(continuation.predicted)
            wanted += continuation.tokens.suffix(continuation.predicted)
        }
        var (logarithms, hits) = ([Double](), [Bool]())
        try pass.logits(of: inputs, at: rows) { places, logits in
            for row in 0..<logits.rows {
                try NonFiniteError.check(logits.row(row), "the logits of the task's texts")
            }
            let (normalisers, best) = (engine.logSumExp(logits), engine.largestColumn(logits))
            for (index, place) in places.enumerated() {
                let token = Int(wanted[place])
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
