import CHost
import CommandLine
import Foundation
import ModelFiles
import Tensors
import Tokenizers
import Transformers

/// The command that writes text.
struct GenerateCommand: Command {
    static let name = "generate"
    static let summary = "Continue a prompt with a decoder."
    static let discussion = """
        Text appears as it is made and ends at the model's end of text. Without --temperature the \
        most likely token is always taken, so that equal prompts give equal answers.

        Example: espalier generate pruned/1.5x --prompt 'Once upon a time'

        Example: espalier generate model.gguf --prompt 'The' --temperature 0.8 --seed 7

        Example: espalier generate model.gguf --chat --prompt 'What is a cedar?'
        """

    private let model: String
    private let prompt: String
    private let tokens: Int
    private let temperature: Double
    private let topP: Double
    private let seed: UInt64
    private let threads: Int
    private let precision: Precision
    private let isRaw: Bool
    private let isChat: Bool
    private let system: String?
    private let asJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        model = try arguments.positional("MODEL", .model, help: ModelLocation.help)
        prompt = try arguments.requiredOption(
            "--prompt", short: "p", .text, help: "The text to continue; may be empty.")
        tokens = try arguments.option(
            "--tokens", short: "n", .integer(in: 1...(1 << 20)), default: 128,
            help: "The most tokens to add.")
        arguments.group("Sampling")
        temperature = try arguments.option(
            "--temperature", .number(in: 0...100), default: 0,
            help: "How far to stray from the most likely token.")
        topP = try arguments.option(
            "--top-p", .number(in: 0...1), default: 1,
            help: "Draw only from the most likely tokens of this joint probability.")
        seed = try arguments.option("--seed", .seed, default: 0, help: "Seed of random choices.")
        arguments.group()
        threads = try EnvironmentOptions.threads(&arguments)
        precision = try EnvironmentOptions.precision(&arguments)
        isRaw = arguments.flag(
            "--raw", help: "Do not put the tokenizer's special tokens around the prompt.")
        isChat = arguments.flag(
            "--chat",
            help: "Send the prompt as a user's message, in the markup of the model's chat template."
        )
        system = try arguments.option(
            "--system", .text, help: "With --chat, a system message before the prompt.")
        asJSON = arguments.flag("--json", help: "Print one JSON object at the end instead.")
        if isChat && isRaw { throw UsageError("--chat and --raw exclude each other") }
        if system != nil && !isChat { throw UsageError("--system needs --chat") }
    }

    func run() throws {
        let opened = try OpenedModel(model)
        let shape = opened.shape
        guard !shape.architecture.isEncoder else {
            throw ModelFileError(
                file: opened.location.path, problem: "an encoder writes no text",
                remedy: "name a decoder, such as a model of type \"llama\"")
        }
        let loaded = LoadedModel(opened, model: try opened.contextual(in: precision))
        let tokenizer = try loaded.checkpoint.tokenizer()
        let rendered = try isChat ? chatPrompt(loaded.checkpoint, tokenizer) : nil
        let start = try promptTokens(
            tokenizer.encode(rendered ?? prompt, addingSpecialTokens: !isRaw && !isChat),
            tokenizer, for: loaded)
        var generator = Generator(
            ForwardPass(loaded.model, on: Engine(threads: threads)),
            sampler: Sampler(temperature: Float(temperature), topP: topP, seed: seed),
            capacity: min(start.count + tokens, shape.maximumPositions))
        var answer = GeneratedAnswer(
            prompt: prompt, rendered: rendered, promptTokens: start.count)
        var text = TextStream(tokenizer)
        var clock = TokenClock()
        let ends = try loaded.checkpoint.endTokens(with: tokenizer)
        do {
            var isDone = false
            defer {
                if !asJSON, isDone || !answer.tokens.isEmpty {
                    try? writeOutput(Data((text.finish() + "\n").utf8))
                }
            }
            try generator.generate(after: start, count: tokens, ends: ends) { token in
                clock.tick()
                answer.tokens.append(token)
                let piece = text.add(token)
                if !asJSON { try writeOutput(Data(piece.utf8)) }
                try Interruption.check()
            }
            isDone = true
        }
        answer.text = tokenizer.decode(answer.tokens)
        answer.seconds = clock.seconds
        answer.tokensPerSecond = clock.rate
        if asJSON { try printJSON(answer) }
        remark((asJSON ? "" : "\n") + clock.summary(promptTokens: start.count))
        if answer.tokens.isEmpty, !isChat, loaded.checkpoint.hasChatTemplate {
            remark("This is a chat model: --chat puts its markup around the prompt.")
        }
    }

    /// The prompt as a user's message, in the model's markup.
    private func chatPrompt(
        _ checkpoint: Checkpoint, _ tokenizer: some Tokenizer
    ) throws -> String {
        guard let template = try checkpoint.chatTemplate() else {
            throw ModelFileError(
                file: checkpoint.path, subject: "--chat", problem: "the model has no chat template",
                remedy: "leave --chat out, or name a model that was trained to chat")
        }
        let messages =
            (system.map { [ChatMessage(role: "system", content: $0)] } ?? [])
            + [ChatMessage(role: "user", content: prompt)]
        return try template.render(
            messages, specialTokens: checkpoint.specialTokenTexts(with: tokenizer))
    }

    /// The prompt's tokens; an empty prompt is one that only begins a text.
    private func promptTokens(
        _ given: [Int32], _ tokenizer: any Tokenizer, for loaded: LoadedModel
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
                    problem: "no token begins a text, and the prompt is empty",
                    remedy: "give a --prompt with some text")
            }
            tokens = [first]
        }
        guard tokens.count < shape.maximumPositions else {
            throw ModelFileError(
                file: loaded.location.path, subject: "--prompt",
                problem: "\(tokens.count) tokens leave no room in the model's "
                    + "\(shape.maximumPositions) positions",
                remedy: "give a shorter prompt")
        }
        return tokens
    }
}

/// What `generate` made, for a program.
private struct GeneratedAnswer: Encodable {
    let prompt: String
    /// The prompt in the markup of a chat.
    let rendered: String?
    let promptTokens: Int
    var text = ""
    var tokens: [Int32] = []
    /// From the first new token to the last.
    var seconds = 0.0
    var tokensPerSecond: Double?

    init(prompt: String, rendered: String?, promptTokens: Int) {
        self.prompt = prompt
        self.rendered = rendered
        self.promptTokens = promptTokens
    }
}

/// Times tokens as they come; the first one's time is that of the prompt.
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

    var seconds: Double { first.map { Double(last - $0) * 1e-9 } ?? 0 }

    /// Tokens per second after the first; nil where there are fewer than two.
    var rate: Double? { count > 1 && seconds > 0 ? Double(count - 1) / seconds : nil }

    func summary(promptTokens: Int) -> String {
        guard let first else {
            return "Nothing was written: the model ended the text at once."
        }
        let wait = Human.duration(Double(first - start) * 1e-9)
        let speed = rate.map { ", \(Human.significant($0, digits: 3)) tokens/s" } ?? ""
        return "\(promptTokens) tokens read in \(wait); \(count) written\(speed)"
    }
}
