/// A family of models: those of one `model_type` in `config.json`.
///
/// A family is data, in a file of its own in this folder. All code that reads, writes or runs models
/// asks this data, or the ``Architecture``, and never which family it is.
public struct Family: Sendable {
    /// `model_type` in `config.json`.
    public let name: String
    /// What `transformers` puts before the names of the family's classes, such as `Llama`.
    public let className: String
    /// The class of a model that predicts the next token; nil if it is ``className`` with
    /// `ForCausalLM` behind.
    let nextTokenClass: String?
    /// Models of this family that many people use, for messages.
    let examples: String
    /// How models of the family compute.
    public let architecture: Architecture
    /// What the fields of `config.json` are called, and what an absent field means.
    let config: ConfigConventions
    /// What tensors are called in safetensors files.
    let tensors: TensorLayout
    /// The heads of the family's encoders, and which tensors make their results; none for decoders.
    let heads: [TaskHead: [TaskHead.Output]]
    /// What a model with a task head puts before the names of its encoder's tensors; nil for
    /// decoders.
    let headPrefix: String?
    /// The architectures of GGUF files of this family; nil if it is neither read from nor written
    /// to GGUF.
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

    /// The family of a `model_type`; nil if it is not known.
    public init?(named name: String) {
        guard let known = Self.all.first(where: { $0.name == name }) else { return nil }
        self = known
    }
}

extension Family {
    /// The first family of an architecture.
    public init(of architecture: Architecture) {
        guard let first = Self.all.first(where: { $0.architecture == architecture }) else {
            preconditionFailure("every architecture is some family's")
        }
        self = first
    }

    /// What tensors of a whole model of this family are called.
    public var tensorNames: TensorNames { tensors.names }

    /// What tensors of a model without a head are called, which are the modules' names in
    /// `transformers`.
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
    /// The value if they do not; its sizes are arrays with one entry for each layer.
    public let byLayer: String

    /// Both values.
    var all: [String] { [uniform, byLayer] }
}
