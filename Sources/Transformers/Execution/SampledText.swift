public import Tensors

/// Text that is sampled from a decoder.
public enum SampledText {
    /// Samples continuations of several sequences together, at temperature 1.
    ///
    /// - Parameters:
    ///   - model: The decoder.
    ///   - engine: The engine on which to run.
    ///   - beginnings: The start of each sequence, with at least one token, such as the token that
    ///     begins or ends texts.
    ///   - length: The final number of tokens of each sequence.
    ///   - seed: The seed of the random numbers.
    ///   - progress: Called with the current number of tokens. It may throw an error to stop.
    /// - Returns: The sequences, including their beginnings.
    /// - Throws: ``NonFiniteError`` if logits are not finite, and errors of `progress`.
    public static func sequences(
        from model: Model, on engine: Engine, continuing beginnings: [[Int32]], length: Int,
        seed: UInt64, progress: (Int) throws -> Void
    ) throws -> [[Int32]] {
        var pass = ForwardPass(model, on: engine)
        var cache = KeyValueCache(for: model, capacity: length, sequences: beginnings.count)
        var logits = Activations()
        var seeds = SplitMix64(seed: seed)
        var samplers = beginnings.map { _ in Sampler(temperature: 1, seed: seeds.next()) }
        var texts = beginnings.map { Array($0.prefix(length)) }
        for written in 1..<max(1, length) {
            pass.advance(texts.map { $0[written - 1] }, cache: &cache, logits: &logits)
            for index in texts.indices where texts[index].count == written {
                try NonFiniteError.check(
                    logits.row(index), "the logits after \(written) sampled tokens")
                texts[index].append(samplers[index].next(logits.row(index)))
            }
            try progress((written + 1) * texts.count)
        }
        return texts
    }
}
