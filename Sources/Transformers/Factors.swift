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

    /// Creates factors that change nothing.
    public init() {}
}

extension ModelShape {
    /// The factors, which are 1 for most models.
    public var usedFactors: Factors { factors ?? Factors() }

    /// The heads of a layer's attention block.
    public func heads(of layer: LayerShape) -> AttentionHeads {
        AttentionHeads(
            query: layer.queryHeads, keyValue: layer.keyValueHeads, dimension: headDimension,
            scale: factors?.scores)
    }
}

extension ConfigConventions {
    /// The fields of a configuration with the factors of the forward pass.
    struct FactorFields: Sendable {
        /// The field with the factor of token embeddings.
        var embeddings: Field?
        /// The field with the factor of the output of each branch.
        var branches: Field?
        /// The field with the factor of attention scores.
        var scores: Field?
        /// The field with the factor of logits.
        var logits: Field?

        /// A field with a factor.
        struct Field: Sendable {
            /// The name of the field.
            let name: String
            /// The default.
            let usual: Double
            /// Whether the factor is 1 divided by the value.
            var isDivisor = false

            fileprivate func value(_ fields: ConfigFields) throws(ModelFileError) -> Float {
                let value = try fields.positive(name) ?? usual
                return Float(isDivisor ? 1 / value : value)
            }
        }

        /// The names of the fields.
        var names: [String] { [embeddings, branches, scores, logits].compactMap { $0?.name } }

        /// Reads the factors; nil if they change nothing.
        func read(_ fields: ConfigFields) throws(ModelFileError) -> Factors? {
            var factors = Factors()
            factors.embeddings = try embeddings?.value(fields) ?? 1
            factors.branches = try branches?.value(fields) ?? 1
            factors.scores = try scores?.value(fields)
            factors.logits = try logits?.value(fields) ?? 1
            return factors == Factors() ? nil : factors
        }
    }
}
