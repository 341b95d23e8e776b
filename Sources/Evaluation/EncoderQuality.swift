public import Tensors
public import Transformers

/// How far the sentence embeddings of an encoder are from those of the model it was made from.
public struct EncoderQuality: Sendable, Equatable {
    /// The mean over sentences of 1 minus the cosine between the two embeddings.
    public let meanCosineDistance: Double
    /// Sentences compared.
    public let sentences: Int

    /// Compares two encoders.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - dense: The model to compare with.
    ///   - sentences: Token ids of each sentence, special tokens included; none empty.
    ///   - engine: What to run on.
    ///   - progress: Called with the sentences done; may throw to stop.
    /// - Throws: What `progress` throws.
    public init(
        of model: Model, against dense: Model, on sentences: [[Int32]], engine: Engine,
        progress: (Int) throws -> Void = { _ in }
    ) rethrows {
        var pass = ForwardPass(model, on: engine)
        var densePass = ForwardPass(dense, on: engine)
        var total = 0.0
        for first in stride(from: 0, to: sentences.count, by: 16) {
            let last = min(first + 16, sentences.count)
            let batch = TokenBatch(Array(sentences[first..<last]))
            let embeddings = Self.embeddings(pass.hiddenStates(of: batch), batch)
            let wanted = Self.embeddings(densePass.hiddenStates(of: batch), batch)
            for (got, want) in zip(embeddings, wanted) { total += 1 - Self.cosine(got, want) }
            try progress(last)
        }
        meanCosineDistance = total / Double(max(sentences.count, 1))
        self.sentences = sentences.count
    }

    /// The mean of each sequence's hidden states, the embedding of sentence transformers.
    public static func embeddings(_ hidden: Activations, _ batch: TokenBatch) -> [[Double]] {
        batch.sequences.map { rows in
            var sum = [Double](repeating: 0, count: hidden.columns)
            for row in rows {
                for (column, value) in hidden.row(row).enumerated() {
                    sum[column] += Double(value)
                }
            }
            return sum.map { $0 / Double(rows.count) }
        }
    }

    /// The cosine of the angle between two vectors; 1 where either is zero.
    public static func cosine(_ left: [Double], _ right: [Double]) -> Double {
        let (dot, first, second) = zip(left, right).reduce((0.0, 0.0, 0.0)) {
            ($0.0 + $1.0 * $1.1, $0.1 + $1.0 * $1.0, $0.2 + $1.1 * $1.1)
        }
        let lengths = (first * second).squareRoot()
        return lengths > 0 ? dot / lengths : 1
    }
}
