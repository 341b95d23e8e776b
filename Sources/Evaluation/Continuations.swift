public import Tensors
public import Tokenizers
public import Transformers

/// Continues prompts with a decoder; each next token is the most likely token.
///
/// - Parameters:
///   - prompts: The tokens of each prompt, at least one.
///   - model: The decoder.
///   - tokenizer: The decoder's tokenizer.
///   - engine: The engine to run on.
///   - count: The maximum number of tokens to generate.
/// - Returns: A text for each prompt.
/// - Throws: `NonFiniteError`.
public func continuations(
    of prompts: [[Int32]], by model: Model, tokenizer: some Tokenizer, engine: Engine,
    count: Int = 40
) throws -> [String] {
    let longest = prompts.reduce(0) { max($0, $1.count) }
    var generator = Generator(
        ForwardPass(model, on: engine), sampler: Sampler(temperature: 0),
        capacity: min(longest + count, model.shape.maximumPositions))
    return try prompts.map { prompt in
        var written: [Int32] = []
        try generator.generate(
            after: prompt, count: count, ends: Set([tokenizer.endOfText].compactMap(\.self))
        ) { written.append($0) }
        return tokenizer.decode(written)
    }
}
