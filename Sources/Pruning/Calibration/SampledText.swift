public import Tensors
public import Transformers

/// Text that a decoder writes itself, for calibration where there is no other.
public enum SampledText {
    /// Samples sequences together, at temperature 1, each from the same first token.
    ///
    /// - Parameters:
    ///   - model: The decoder.
    ///   - engine: What to run on.
    ///   - first: The token to begin with, such as the one that begins or ends texts.
    ///   - sequences: How many to write together.
    ///   - length: Tokens of each.
    ///   - seed: Equal seeds give equal text.
    ///   - progress: Called with the tokens written; may throw to stop.
    /// - Returns: The sequences.
    /// - Throws: What `progress` throws.
    public static func sequences(
        from model: Model, on engine: Engine, first: Int32, sequences: Int, length: Int,
        seed: UInt64, progress: (Int) throws -> Void
    ) rethrows -> [[Int32]] {
        var pass = ForwardPass(model, on: engine)
        var cache = KeyValueCache(shape: model.shape, capacity: length, sequences: sequences)
        var logits = Activations()
        var seeds = SplitMix64(seed: seed)
        var samplers = (0..<sequences).map { _ in Sampler(temperature: 1, seed: seeds.next()) }
        var texts = [[Int32]](repeating: [first], count: sequences)
        for written in 1..<length {
            pass.advance(texts.map { $0[written - 1] }, cache: &cache, logits: &logits)
            for index in texts.indices {
                texts[index].append(samplers[index].next(logits.row(index)))
            }
            try progress((written + 1) * sequences)
        }
        return texts
    }
}
