/// A family of models, which have the same `model_type` in `config.json`.
///
/// A family is data and has its own file in this folder. Code that reads, writes or runs models
/// uses this data or the ``Architecture``. It never tests which family a model has.
public struct Family: Sendable {
    /// `model_type` in `config.json`.
    public let name: String
    /// The prefix of the names of the family's classes in `transformers`, such as `Llama`.
    public let className: String
    /// The class of a model that predicts the next token; nil if it is ``className`` followed by
    /// `ForCausalLM`.
    let nextTokenClass: String?
    /// Well-known models of this family, for messages.
    let examples: String
    /// The computation of the family's models.
    public let architecture: Architecture
    /// The names and default values of the fields of `config.json`.
    let config: ConfigConventions
    /// The names of tensors in safetensors files.
    let tensors: TensorLayout
    /// The task heads of the family's encoders, with the tensors of their results; empty for
    /// decoders.
    let heads: [TaskHead: [TaskHead.Output]]
    /// The prefix of the encoder's tensors in a model with a task head; nil for decoders.
    let headPrefix: String?
    /// The architectures of GGUF files of this family; nil if GGUF is not supported for it.
    public let gguf: GGUFArchitectures?

    /// Creates a family.
    init(
        name: String, className: String, nextTokenClass: String? = nil, examples: String,
        architecture: Architecture, config: ConfigConventions, tensors: TensorLayout,
        heads: [TaskHead: [TaskHead.Output]] = [:], headPrefix: String? = nil,
        gguf: GGUFArchitectures? = nil
    ) {
        self.name = name
        self.className = className
        self.nextTokenClass = nextTokenClass
        self.examples = examples
        self.architecture = architecture
        self.config = config
        self.tensors = tensors
        self.heads = heads
        self.headPrefix = headPrefix
        self.gguf = gguf
    }

    /// Finds the family with a `model_type`; nil if it is not supported.
    public init?(named name: String) {
        guard let known = Self.all.first(where: { $0.name == name }) else { return nil }
        self = known
    }
}

extension Family {
    /// Finds the first family with an architecture.
    public init(of architecture: Architecture) {
        guard let first = Self.all.first(where: { $0.architecture == architecture }) else {
            preconditionFailure("no family has the architecture")
        }
        self = first
    }

    /// The names of the tensors of a model of this family with its head.
    public var tensorNames: TensorNames { tensors.names }

    /// The names of the tensors of a model without a head.
    ///
    /// They are the names of the modules in `transformers`.
    public var bodyTensorNames: TensorNames { tensors.bodyNames }
}

extension Family: Hashable {
    /// Families are equal if their names are.
    public static func == (left: Family, right: Family) -> Bool { left.name == right.name }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// The values of `general.architecture` in GGUF files of a family.
public struct GGUFArchitectures: Sendable {
    /// The value if all layers have the same sizes.
    public let uniform: String
    /// The value if layers have different sizes, which are then arrays with one entry for each
    /// layer.
    public let byLayer: String

    /// Both values.
    var all: [String] { [uniform, byLayer] }
}
