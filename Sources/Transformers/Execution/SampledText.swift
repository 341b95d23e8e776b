public import Tensors

/// Text that a decoder writes itself.
public enum SampledText {
    /// Samples the rest of sequences together, at temperature 1.
    ///
    /// - Parameters:
    ///   - model: The decoder.
    ///   - engine: What to run on.
    ///   - beginnings: At least one token each, such as the one that begins or ends texts.
    ///   - length: Tokens of each sequence in the end.
    ///   - seed: Equal seeds give equal text.
    ///   - progress: Called with the tokens there are; may throw to stop.
    /// - Returns: The sequences, with their beginnings.
    /// - Throws: ``NonFiniteError``, and what `progress` throws.
    public static func sequences(
        from model: Model, on engine: Engine, continuing beginnings: [[Int32]], length: Int,
        seed: UInt64, progress: (Int) throws -> Void
    ) throws -> [[Int32]] {
        var pass = ForwardPass(model, on: engine)
        var cache = KeyValueCache(
            shape: model.shape, capacity: length, sequences: beginnings.count)
        var logits = Activations()
        var seeds = SplitMix64(seed: seed)
        var samplers = beginnings.map { _ in Sampler(temperature: 1, seed: seeds.next()) }
        var texts = beginnings.map { Array($0.prefix(length)) }
        for written in 1..<max(1, length) {
            pass.advance(texts.map { $0[written - 1] }, cache: &cache, logits: &logits)
            for index in texts.indices where texts[index].count == written {
                try NonFiniteError.check(
                    logits.row(index), "the logits behind \(written) sampled tokens")
                texts[index].append(samplers[index].next(logits.row(index)))
            }
            try progress((written + 1) * texts.count)
        }
        return texts
    }
}
