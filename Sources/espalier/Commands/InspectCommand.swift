import CommandLine
import Foundation
import ModelFiles
import Profiling
import Tensors
import Transformers

/// The command that shows files.
struct InspectCommand: Command {
    static let name = "inspect"
    static let summary = "Show what a model, a profile or a file of tensors holds."
    static let discussion = """
        Of a model it shows the sizes, layer by layer, and says what other commands will refuse; of \
        a profile the latency of every level as tables and plots; of any other safetensors or GGUF \
        file its tensors.

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
        let path = try ModelLocation(file).path
        switch try Content(of: path) {
        case .model(let shape):
            asJSON
                ? try printJSON(ModelAnswer(shape)) : print(ModelText(shape).full, terminator: "")
        case .profile(let profile):
            asJSON
                ? try writeOutput(Data(profile.json()))
                : print(ProfileText(profile).full, terminator: "")
        case .tensors(let tensors, let refusal):
            asJSON
                ? try printJSON(["tensors": tensors])
                : print(TensorAnswer.table(of: tensors), terminator: "")
            if let refusal { throw refusal }
        }
    }

    /// What a path leads to.
    private enum Content {
        case model(ModelShape)
        case profile(LatencyTable)
        /// A file of tensors; where it should be a model, with what other commands say of it.
        case tensors([TensorAnswer], refusal: ModelFileError? = nil)

        init(of path: String) throws {
            var isDirectory: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            if isDirectory.boolValue {
                let hasConfig = FileManager.default.fileExists(
                    atPath: transformerDirectory(path) + "/config.json")
                if hasConfig {
                    try self.init(model: path)
                } else {
                    self = .tensors(TensorAnswer.all(in: try openTensorFile(path)))
                    remark("There is no config.json in \(path): other commands refuse it.")
                }
            } else if path.hasSuffix(".json") {
                try self.init(json: path)
            } else {
                let file = try openTensorFile(path)
                guard let gguf = file as? GGUFFile else {
                    self = .tensors(TensorAnswer.all(in: file))
                    return
                }
                do {
                    try self.init(model: path)
                } catch let refusal as ModelFileError {
                    let name = try? gguf.string("general.architecture")
                    let isModel = HuggingFaceConfig.ggufArchitectures.contains(name ?? "")
                    if !isModel { remark("Other commands refuse it: \(refusal)") }
                    self = .tensors(
                        TensorAnswer.all(in: file), refusal: isModel ? refusal : nil)
                }
            }
        }

        /// Opens a model as other commands do, and says what some of them will refuse.
        private init(model path: String) throws {
            let (shape, remarks) = try ModelShape.read(path)
            remarkOnce(remarks)
            self = .model(shape)
            guard !path.hasSuffix(".json") else { return }
            do {
                let checkpoint = try Checkpoint(path)
                do {
                    _ = try checkpoint.tokenizer()
                } catch {
                    remark("Commands that read text refuse it: \(error)")
                }
            } catch {
                remark("Only 'profile' takes it, by its sizes: \(error)")
            }
        }

        private init(json path: String) throws {
            let bytes = try InputFile(path: path).bytes
            let members = try JSONValue(parsing: bytes, file: path).object ?? [:]
            if members["curves"] != nil {
                self = .profile(try LatencyTable(json: bytes, file: path))
            } else if members["model_type"] != nil {
                try self.init(model: path)
            } else if members["weight_map"] != nil {
                self = .tensors(TensorAnswer.all(in: try openTensorFile(path)))
            } else {
                throw ModelFileError(
                    file: path, problem: "it is no profile, config.json or index of shards",
                    remedy: "name a model, a profile, or a safetensors or GGUF file")
            }
        }
    }
}
