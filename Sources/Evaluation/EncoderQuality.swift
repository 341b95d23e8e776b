public import Tensors
public import Transformers

/// The distance between the sentence embeddings of an encoder and of the dense model.
public struct EncoderQuality: Sendable, Equatable {
    /// The mean over sentences of 1 minus the cosine between the two vectors.
    public let meanCosineDistance: Double
    /// The number of compared sentences.
    public let sentences: Int

    /// Compares two encoders.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - dense: The model to compare with.
    ///   - channels: The channels of the dense model's residual stream that the model keeps; nil
    ///     for all.
    ///   - sentences: Token ids of each sentence, including special tokens; no sentence is empty.
    ///   - engine: The engine to run on.
    ///   - progress: Called with the number of sentences done; may throw to stop.
    /// - Throws: `NonFiniteError`, or the error of `progress`.
    public init(
        of model: Model, against dense: Model, channels: [Int]? = nil,
        on sentences: [[Int32]], engine: Engine, progress: (Int) throws -> Void = { _ in }
    ) throws {
        var pass = ForwardPass(model, on: engine)
        var densePass = ForwardPass(dense, on: engine)
        var total = 0.0
        for first in stride(from: 0, to: sentences.count, by: 16) {
            let last = min(first + 16, sentences.count)
            let batch = TokenBatch(Array(sentences[first..<last]))
            let (hidden, expected) = (
                pass.hiddenStates(of: batch), densePass.hiddenStates(of: batch)
            )
            for rows in batch.sequences {
                total +=
                    1
                    - cosine(
                        model.pooling.vector(of: rows, in: hidden),
                        dense.pooling.vector(of: rows, in: expected, channels: channels))
            }
            try NonFiniteError.check(total, "the vectors of sentences up to \(last)")
            try progress(last)
        }
        meanCosineDistance = total / Double(max(sentences.count, 1))
        self.sentences = sentences.count
    }
}
