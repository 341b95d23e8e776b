internal import ModelFiles
public import Tensors

/// Constant factors of the forward pass.
public struct Factors: Codable, Hashable, Sendable {
    /// The factor of token embeddings.
    public var embeddings: Float = 1
    /// The factor of the output of each branch before it is added to the residual stream.
    public var branches: Float = 1
    /// The factor of the products of queries and keys; nil for 1 divided by the square root of the
    /// size of a head.
    public var scores: Float?
    /// The factor of the logits.
    ///
    /// The last hidden states are multiplied with it, so that their products with the output head
    /// are the logits.
    public var logits: Float = 1
    /// The soft cap c of attention scores s, which become `c · tanh(s / c)`; nil if there is none.
    public var scoreCap: Float?
    /// The soft cap of logits; nil if there is none.
    public var logitCap: Float?

    /// Creates factors that change nothing.
    public init() {}
}

extension ModelShape {
    /// The factors, which are 1 for most models.
    public var usedFactors: Factors { factors ?? Factors() }

    /// The heads of a layer's attention block.
    public func heads(of layer: LayerShape) -> AttentionHeads {
        var heads = AttentionHeads(
            query: layer.queryHeads, keyValue: layer.keyValueHeads, dimension: headDimension,
            scale: factors?.scores)
        (heads.window, heads.cap) = (layer.window, factors?.scoreCap)
        heads.biasRows = layer.keptHeads
        return heads
    }
}

extension ConfigConventions {
    /// The sources of the factors of the forward pass in a configuration.
    struct FactorFields: Sendable {
        /// The factor of token embeddings.
        var embeddings: Source?
        /// The factor of the output of each branch.
        var branches: Source?
        /// The factor of attention scores.
        var scores: Source?
        /// The factor of logits.
        var logits: Source?
        /// The soft cap of attention scores.
        var scoreCap: Cap?
        /// The soft cap of logits.
        var logitCap: Cap?

        /// A field with a soft cap, which is absent if the field is null.
        struct Cap: Sendable {
            let name: String
            /// The default; nil for no cap.
            let usual: Double?

            /// Creates a field.
            init(_ name: String, usual: Double?) { (self.name, self.usual) = (name, usual) }

            fileprivate func value(_ fields: ConfigFields) throws(ModelFileError) -> Float? {
                guard fields.members[JSONKey(name)] != nil else { return usual.map { Float($0) } }
                return try fields.positive(name).map { Float($0) }
            }
        }

        /// The source of a factor.
        enum Source: Sendable {
            /// A field with the factor.
            case field(String, usual: Double)
            /// 1 divided by a field.
            case divisor(String, usual: Double)
            /// 1 divided by the square root of a field.
            case inverseRoot(String, usual: Double)
            /// The square root of `hidden_size`.
            case rootOfHiddenSize

            /// The name of the field; nil if the family has none for the factor.
            fileprivate var name: String? {
                switch self {
                case .field(let name, _), .divisor(let name, _), .inverseRoot(let name, _): name
                case .rootOfHiddenSize: nil
                }
            }

            fileprivate func value(_ fields: ConfigFields) throws(ModelFileError) -> Float {
                switch self {
                case .field(let name, let usual): Float(try fields.positive(name) ?? usual)
                case .divisor(let name, let usual): Float(1 / (try fields.positive(name) ?? usual))
                case .inverseRoot(let name, let usual):
                    Float(1 / (try fields.positive(name) ?? usual).squareRoot())
                case .rootOfHiddenSize:
                    Float(
                        Double(
                            try fields.size("hidden_size", upTo: HuggingFaceConfig.Limit.width)
                        ).squareRoot())
                }
            }
        }

        /// The names of the fields.
        var names: [String] {
            [embeddings, branches, scores, logits].compactMap { $0?.name }
                + [scoreCap, logitCap].compactMap { $0?.name }
        }

        /// Reads the factors; nil if they change nothing.
        func read(_ fields: ConfigFields) throws(ModelFileError) -> Factors? {
            var factors = Factors()
            factors.embeddings = try embeddings?.value(fields) ?? 1
            factors.branches = try branches?.value(fields) ?? 1
            factors.scores = try scores?.value(fields)
            factors.logits = try logits?.value(fields) ?? 1
            factors.scoreCap = try scoreCap?.value(fields)
            factors.logitCap = try logitCap?.value(fields)
            return factors == Factors() ? nil : factors
        }
    }
}
