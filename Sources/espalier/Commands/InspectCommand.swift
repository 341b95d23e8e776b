import Console
import Foundation
import Pipeline

/// The command that shows the contents of files.
struct InspectCommand: Command {
    static let name = "inspect"
    static let summary = "Show what a model, a profile or a file of tensors holds."
    static let discussion = """
        For a model it shows the sizes of every layer, and says what other commands will refuse. \
        For a profile it shows the latency of every level as tables and plots. For any other \
        safetensors or GGUF file it lists the tensors.

        Example: espalier inspect pruned/1.5x --json

        Example: espalier inspect SmolLM2-135M-decode.profile.json
        """

    private let file: String
    private let asJSON: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        file = try arguments.positional(
            "FILE", .file, help: "A model as for other commands, a profile, or a tensor file.")
        asJSON = arguments.flag("--json", help: "Print JSON instead of text.")
    }

    func run() throws {
        switch try Inspection(of: file, progress: TerminalProgress()) {
        case .model(let shape, let formats):
            asJSON
                ? try printJSON(ModelSizes(shape, formats: formats))
                : print(ModelText(shape, formats: formats).full, terminator: "")
        case .profile(let profile):
            asJSON
                ? try writeOutput(Data(profile.json()))
                : print(ProfileText(profile).full, terminator: "")
        case .tensors(let tensors, let refusal):
            asJSON
                ? try printJSON(["tensors": tensors])
                : print(TensorDescription.table(of: tensors), terminator: "")
            if let refusal { throw refusal }
        }
    }
}
