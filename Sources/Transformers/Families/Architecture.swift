/// The computation of models of one or more families: all that the forward pass reads except sizes.
///
/// Families with the same computation share one architecture. Files store only its ``name``.
public struct Architecture: Sendable {
    /// The name in profiles, reports and run directories, such as `llama`.
    public let name: String
    /// Whether attention is causal: a token attends only to itself and to earlier tokens.
    ///
    /// A causal model predicts the next token. Any other model is an encoder, whose result is the
    /// last hidden states.
    public let isCausal: Bool
    /// The way in which the position of a token is represented.
    public let positions: Positions
    /// The number of rows of the token type embedding; 0 if there is none.
    public let segmentTypes: Int
    /// Whether a norm follows the sum of the embeddings.
    public let normalisesEmbeddings: Bool
    /// Whether a norm follows the last layer.
    public let hasFinalNorm: Bool
    /// Whether the width of the residual stream can be pruned.
    ///
    /// This requires that the configuration can still state the size of a head.
    public let canNarrow: Bool
    /// The computation of each layer.
    public let layer: LayerRecipe

    /// The way in which the position of a token is represented.
    public enum Positions: Sendable {
        /// Each position has a vector that is added to the token's embedding.
        case learned
        /// Pairs of channels of queries and keys are rotated by angles that depend on the position
        /// (arXiv 2104.09864).
        case rotary
        /// Only ``ModelShape/biases`` of attention scores depend on positions.
        case biasesOnly
    }

    /// Whether each token attends to all tokens of its sequence, and the result is hidden states.
    public var isEncoder: Bool { !isCausal }

    /// The architectures of all families, without duplicates.
    public static let all: [Architecture] = Family.all.map(\.architecture)
        .reduce(into: []) { known, next in
            if !known.contains(next) { known.append(next) }
        }

    /// Finds the architecture with a name; nil if no family has it.
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
                debugDescription: "no architecture is named \"\(name)\"; known names are \(names)")
        }
        self = known
    }

    /// Writes the name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}
