internal import CHost
internal import ModelFiles
public import Tensors
internal import Tokenizers
internal import Transformers

/// The options of a ``GenerateJob``.
public struct GenerateOptions: Sendable {
    /// The model, a decoder: a path or a hub id.
    public var model: String
    /// The text to continue; it may be empty.
    public var prompt: String
    /// The maximum number of tokens to add.
    public var tokens = 128
    /// The divisor of the logits.
    ///
    /// If it is 0, the most likely token is always chosen.
    public var temperature = 0.0
    /// The total probability of the most likely tokens, from which the next token is drawn.
    public var topP = 1.0
    /// The seed of the random draws.
    public var seed: UInt64 = 0
    /// The number of threads.
    public var threads = EnvironmentOptions.defaultThreads
    /// The precision in which weights are stored and products are computed.
    public var precision = Precision.f32
    /// Whether the tokenizer's special tokens are not added.
    public var isRaw = false
    /// Whether the prompt is a user's message that is formatted with the model's chat template.
    public var isChat = false
    /// The system message before the user's message; nil for none.
    public var system: String?

    /// Options with defaults for a model and a prompt.
    public init(_ model: String, prompt: String) { (self.model, self.prompt) = (model, prompt) }

    /// Refuses options that contradict each other.
    ///
    /// - Throws: ``InvalidOptions``.
    public func check() throws(InvalidOptions) {
        if isChat && isRaw { throw InvalidOptions("--chat and --raw cannot be used together") }
        if system != nil && !isChat { throw InvalidOptions("--system needs --chat") }
    }
}

/// A text that a decoder generated.
public struct GeneratedText: Encodable, Sendable {
    /// The prompt.
    public let prompt: String
    /// The prompt as the chat template formats it; nil without a template.
    public let rendered: String?
    /// The number of tokens in the prompt.
    public let promptTokens: Int
    /// The generated text.
    public internal(set) var text = ""
    /// The tokens of the generated text.
    public internal(set) var tokens: [Int32] = []
    /// The time from the first new token to the last.
    public internal(set) var seconds = 0.0
    /// Tokens per second after the first token; nil if there are fewer than two tokens.
    public internal(set) var tokensPerSecond: Double?
    /// The time until the first token, in which the prompt is computed; nil if there is no token.
    public internal(set) var promptSeconds: Double?

    private enum CodingKeys: CodingKey {
        case prompt, rendered, promptTokens, text, tokens, seconds, tokensPerSecond
    }

    fileprivate init(prompt: String, rendered: String?, promptTokens: Int) {
        self.prompt = prompt
        self.rendered = rendered
        self.promptTokens = promptTokens
    }
}

/// Continues a prompt with a decoder.
public struct GenerateJob {
    private let options: GenerateOptions
    private let progress: any JobProgress
    private let loaded: LoadedModel

    /// Reads the model.
    ///
    /// - Parameters:
    ///   - options: The options of the job.
    ///   - progress: Shows the progress and can stop the job.
    /// - Throws: ``InvalidOptions``, `ModelFileError`, or `CancellationError`.
    public init(_ options: GenerateOptions, progress: any JobProgress = SilentProgress()) throws {
        try options.check()
        (self.options, self.progress) = (options, progress)
        let opened = try OpenedModel(options.model, progress: progress)
        guard !opened.shape.architecture.isEncoder else {
            throw ModelFileError(
                file: opened.location.path, problem: "an encoder cannot generate text",
                remedy: "name a decoder, such as a model of type \"llama\"")
        }
        loaded = LoadedModel(opened, model: try opened.contextual(in: options.precision))
    }

    /// Whether the model has a chat template.
    public var hasChatTemplate: Bool { loaded.checkpoint.hasChatTemplate }

    /// Generates the text.
    ///
    /// - Parameter body: Receives each piece of text when it is complete. When the text ends, it
    ///   receives the rest, which may be empty. If an error occurs after the first token, it also
    ///   receives the rest.
    /// - Returns: The generated text with its measurements.
    /// - Throws: `ModelFileError`, `CancellationError`, or the error of `body`.
    public func run(_ body: (_ piece: String, _ isLast: Bool) throws -> Void) throws
        -> GeneratedText
    {
        let tokenizer = try loaded.checkpoint.tokenizer()
        let rendered = try options.isChat ? chatPrompt(tokenizer) : nil
        let start = try promptTokens(
            tokenizer.encode(
                rendered ?? options.prompt,
                addingSpecialTokens: !options.isRaw && !options.isChat),
            tokenizer)
        var generator = Generator(
            ForwardPass(loaded.model, on: Engine(threads: options.threads)),
            sampler: Sampler(
                temperature: Float(options.temperature), topP: options.topP, seed: options.seed),
            capacity: min(start.count + options.tokens, loaded.model.shape.maximumPositions))
        var answer = GeneratedText(
            prompt: options.prompt, rendered: rendered, promptTokens: start.count)
        var text = TextStream(tokenizer)
        var clock = TokenClock()
        let ends = try loaded.checkpoint.endTokens(with: tokenizer)
        do {
            var isDone = false
            defer {
                if isDone || !answer.tokens.isEmpty { try? body(text.finish(), true) }
            }
            try generator.generate(after: start, count: options.tokens, ends: ends) { token in
                clock.tick()
                answer.tokens.append(token)
                try body(text.add(token), false)
                try progress.checkCancellation()
            }
            isDone = true
        }
        answer.text = tokenizer.decode(answer.tokens)
        (answer.seconds, answer.tokensPerSecond) = (clock.seconds, clock.rate)
        answer.promptSeconds = clock.wait
        return answer
    }

    /// Returns the prompt as a user's message, formatted with the model's chat template.
    private func chatPrompt(_ tokenizer: some Tokenizer) throws -> String {
        let checkpoint = loaded.checkpoint
        guard let format = try checkpoint.chatFormat(with: tokenizer) else {
            throw ModelFileError(
                file: checkpoint.path, subject: "--chat", problem: "the model has no chat template",
                remedy: "leave --chat out, or name a model that was trained to chat")
        }
        let messages =
            (options.system.map { [ChatMessage(role: "system", content: $0)] } ?? [])
            + [ChatMessage(role: "user", content: options.prompt)]
        return try format(messages)
    }

    /// Returns the tokens of the prompt.
    ///
    /// For an empty prompt it returns one token that begins a text.
    private func promptTokens(
        _ given: [Int32], _ tokenizer: any Tokenizer
    ) throws(ModelFileError) -> [Int32] {
        let shape = loaded.model.shape
        var tokens = given
        if tokens.isEmpty {
            let config = loaded.checkpoint.config
            let ids = (config.beginningTokens + config.endTokens)
                .filter((0..<shape.vocabularySize).contains).compactMap(Int32.init(exactly:))
            guard let first = tokenizer.beginningOfText ?? tokenizer.endOfText ?? ids.first else {
                throw ModelFileError(
                    file: loaded.location.path, subject: "tokenizer",
                    problem: "the prompt is empty, and no token of the tokenizer begins a text",
                    remedy: "give a --prompt with some text")
            }
            tokens = [first]
        }
        guard tokens.count < shape.maximumPositions else {
            throw ModelFileError(
                file: loaded.location.path, subject: "--prompt",
                problem: "it has \(tokens.count) tokens, and the model has only "
                    + "\(shape.maximumPositions) positions for the prompt and the new tokens",
                remedy: "give a shorter prompt")
        }
        return tokens
    }
}

/// Measures the times at which tokens are generated.
///
/// The time until the first token is the time that the prompt takes.
private struct TokenClock {
    private let start = host_monotonic_nanoseconds()
    private var first: UInt64?
    private var last: UInt64 = 0
    private var count = 0

    mutating func tick() {
        last = host_monotonic_nanoseconds()
        first = first ?? last
        count += 1
    }

    /// The time until the first token.
    var wait: Double? { first.map { Double($0 - start) * 1e-9 } }

    var seconds: Double { first.map { Double(last - $0) * 1e-9 } ?? 0 }

    /// Tokens per second after the first token; nil if there are fewer than two tokens.
    var rate: Double? { count > 1 && seconds > 0 ? Double(count - 1) / seconds : nil }
}
