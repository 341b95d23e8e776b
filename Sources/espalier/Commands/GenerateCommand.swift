import Console
import Foundation
import Pipeline
import Reporting

/// The command that generates text.
struct GenerateCommand: Command {
    static let name = "generate"
    static let summary = "Continue a prompt with a decoder."
    static let discussion = """
        Text appears as it is generated, and ends at the model's end of text. Without \
        --temperature the most likely token is always taken, so that equal prompts give equal \
        answers.

        Example: espalier generate pruned/1.5x --prompt 'Once upon a time'

        Example: espalier generate model.gguf --prompt 'The' --temperature 0.8 --seed 7

        Example: espalier generate model.gguf --chat --prompt 'What is a cedar?'
        """

    private let options: GenerateOptions
    private let asJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        let model = try arguments.positional("MODEL", .model, help: Help.model)
        let prompt = try arguments.requiredOption(
            "--prompt", short: "p", .text, help: "The text to continue; may be empty.")
        var options = GenerateOptions(model, prompt: prompt)
        options.tokens = try arguments.option(
            "--tokens", short: "n", .integer(in: 1...(1 << 20)), default: 128,
            help: "The maximum number of tokens to add.")
        arguments.group("Sampling")
        options.temperature = try arguments.option(
            "--temperature", .number(in: 0...100), default: 0,
            help: "Sampling temperature; 0 always takes the most likely token.")
        options.topP = try arguments.option(
            "--top-p", .number(in: 0...1), default: 1,
            help: "Sample only from the most likely tokens whose probabilities add up to this.")
        options.seed = try arguments.option(
            "--seed", .seed, default: 0, help: "Seed of random choices.")
        arguments.group()
        options.threads = try EnvironmentOptions.threads(&arguments)
        options.precision = try EnvironmentOptions.precision(&arguments)
        options.isRaw = arguments.flag(
            "--raw", help: "Do not put the tokenizer's special tokens around the prompt.")
        options.isChat = arguments.flag(
            "--chat",
            help: "Send the prompt as a user's message, in the markup of the model's chat template."
        )
        options.system = try arguments.option(
            "--system", .text, help: "With --chat, a system message before the prompt.")
        asJSON = arguments.flag("--json", help: "Print one JSON object at the end instead.")
        self.options = options
        try checkUsage(options.check)
    }

    func run() throws {
        let job = try GenerateJob(options, progress: TerminalProgress())
        let answer = try job.run { piece, isLast in
            if !asJSON { try writeOutput(Data((piece + (isLast ? "\n" : "")).utf8)) }
        }
        if asJSON { try printJSON(answer) }
        remark((asJSON ? "" : "\n") + answer.summary)
        if answer.tokens.isEmpty, !options.isChat, job.hasChatTemplate {
            remark("This is a chat model: --chat puts its markup around the prompt.")
        }
    }
}

extension GeneratedText {
    /// A sentence with the number of tokens and the times.
    fileprivate var summary: String {
        guard let promptSeconds else {
            return "No text was generated: the model ended the text at once."
        }
        let speed =
            tokensPerSecond.map { ", \(Figures.significant($0, digits: 3)) tokens/s" } ?? ""
        return "\(promptTokens) tokens read in \(Figures.duration(promptSeconds)); "
            + "\(tokens.count) generated\(speed)"
    }
}
