/// How models of one or more families compute: everything that the forward pass asks besides sizes.
///
/// Families whose models compute alike share one architecture. Files name it by ``name`` alone.
public struct Architecture: Sendable {
    /// The name in profiles, reports and run directories, such as `llama`.
    public let name: String
    /// Whether a token sees only itself and the tokens before it, and the model predicts the next
    /// token; else it is an encoder, whose result is the last hidden states.
    public let isCausal: Bool
    /// How a token's position enters the computation.
    public let positions: Positions
    /// Rows of the embedding of segment types; 0 without this embedding.
    public let segmentTypes: Int
    /// Whether a norm follows the sum of the embeddings.
    public let normalisesEmbeddings: Bool
    /// Whether a norm follows the last layer.
    public let hasFinalNorm: Bool
    /// Whether the hidden size can be reduced and a configuration still states the size of a head.
    public let canNarrow: Bool
    /// How each layer computes.
    public let layer: LayerRecipe

    /// How a token's position enters the computation.
    public enum Positions: Sendable {
        /// Each position has a vector, which is added to the token's embedding.
        case learned
        /// Positions turn pairs of channels of queries and keys (arXiv 2104.09864).
        case rotary
    }

    /// Whether the model sees a whole text at once, and gives hidden states instead of logits.
    public var isEncoder: Bool { !isCausal }

    /// The architectures of all families, each once.
    public static let all: [Architecture] = Family.all.map(\.architecture)
        .reduce(into: []) { known, next in
            if !known.contains(next) { known.append(next) }
        }

    /// The architecture of a name; nil if no family has it.
    public init?(named name: String) {
        guard let known = Self.all.first(where: { $0.name == name }) else { return nil }
        self = known
    }

    /// Creates an architecture.
    init(
        name: String, isCausal: Bool, positions: Positions, segmentTypes: Int = 0,
        normalisesEmbeddings: Bool = false, hasFinalNorm: Bool = true, canNarrow: Bool = false,
        layer: LayerRecipe
    ) {
        self.name = name
        self.isCausal = isCausal
        self.positions = positions
        self.segmentTypes = segmentTypes
        self.normalisesEmbeddings = normalisesEmbeddings
        self.hasFinalNorm = hasFinalNorm
        self.canNarrow = canNarrow
        self.layer = layer
    }
}

extension Architecture: Hashable, CustomStringConvertible {
    /// Architectures are equal if their names are.
    public static func == (left: Architecture, right: Architecture) -> Bool {
        left.name == right.name
    }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    /// The name.
    public var description: String { name }
}

extension Architecture: Codable {
    /// Reads a name.
    ///
    /// - Throws: `DecodingError` if no family has an architecture of this name.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard let known = Architecture(named: name) else {
            let names = Self.all.map(\.name).joined(separator: ", ")
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "no architecture is named \"\(name)\"; known are \(names)")
        }
        self = known
    }

    /// Writes the name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}
