internal import Tensors
internal import Tokenizers
internal import Transformers

/// Computes the vectors of texts with an encoder.
struct TextEncoder<Words: Tokenizer> {
    private var pass: ForwardPass
    private let model: Model
    private let tokenizer: Words

    /// The maximum number of texts in a batch.
    private static var batch: Int { 32 }

    init(_ model: Model, _ tokenizer: Words, _ engine: Engine) {
        (self.model, self.tokenizer) = (model, tokenizer)
        pass = ForwardPass(model, on: engine)
    }

    /// Computes the vectors of texts, pooled and normalised as the model's files say.
    ///
    /// A text that is longer than the model's positions, or than the maximum that its files state,
    /// loses its end.
    ///
    /// - Parameters:
    ///   - texts: The texts, at least one.
    ///   - isUnit: Whether all vectors are normalised to length 1, for cosines.
    ///   - progress: Called with the number of texts that are done; may throw to stop.
    /// - Returns: One vector in each row.
    /// - Throws: `NonFiniteError`, or the error of `progress`.
    mutating func vectors(
        of texts: [String], isUnit: Bool = false, progress: (Int) throws -> Void = { _ in }
    ) throws -> Matrix<Double> {
        var elements: [Double] = []
        for first in stride(from: 0, to: texts.count, by: Self.batch) {
            let batch = TokenBatch(
                texts[first...].prefix(Self.batch).map { text in
                    tokenizer.encode(text, addingSpecialTokens: true).cut(
                        to: model.pooling.length(within: model.shape.maximumPositions))
                })
            let hidden = pass.hiddenStates(of: batch)
            try hidden.checkFinite()
            for rows in batch.sequences {
                let vector = model.pooling.vector(of: rows, in: hidden)
                let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
                let isScaled = (isUnit || model.pooling.isNormalised) && length > 0
                elements += isScaled ? vector.map { $0 / length } : vector
            }
            try progress(min(first + Self.batch, texts.count))
        }
        return Matrix(
            rows: texts.count, columns: elements.count / max(texts.count, 1), elements: elements)
    }
}
