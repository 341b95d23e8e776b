public import Tensors

/// The format in which each matrix of a model is stored and multiplied.
///
/// All matrices of a component have the same format. The output head has its own format. A token
/// embedding that is tied to the head has the format of the head.
public struct Formats: Codable, Hashable, Sendable {
    /// The formats of one layer.
    public struct Layer: Codable, Hashable, Sendable {
        /// The format of the query, key, value and output projections.
        public var attention: Precision
        /// The format of the gate, up and down projections.
        public var feedForward: Precision

        /// Creates the formats of one layer.
        public init(attention: Precision, feedForward: Precision) {
            (self.attention, self.feedForward) = (attention, feedForward)
        }
    }

    /// The formats of each layer.
    public var layers: [Layer]
    /// The format of the output head.
    public var head: Precision

    /// Creates the formats of a model in which all matrices have the same format.
    public init(uniform format: Precision, layers: Int) {
        self.layers = Array(
            repeating: Layer(attention: format, feedForward: format), count: layers)
        head = format
    }

    /// Creates the formats of a plan's model.
    ///
    /// - Parameters:
    ///   - plan: The plan.
    ///   - format: The format of the parts for which the plan has none.
    public init(of plan: Plan, otherwise format: Precision) {
        layers = zip(plan.variants(of: .attention), plan.variants(of: .feedForward)).map {
            Layer(attention: $0.format ?? format, feedForward: $1.format ?? format)
        }
        head = plan.headFormat ?? format
    }

    /// The format of a component's matrices.
    public subscript(component: Component) -> Precision {
        let layer = layers[component.layer]
        return component.kind == .attention ? layer.attention : layer.feedForward
    }

    /// The format of all matrices; nil if some differ.
    public var uniform: Precision? {
        self == Formats(uniform: head, layers: layers.count) ? head : nil
    }
}
