public import Tensors

/// The format in which each matrix of a model is stored and multiplied.
///
/// All matrices of a component have the same format. The output head has its own format. A token
/// embedding that is tied to the head has the format of the head. An encoder has no head: its token
/// embedding has 8 bits if that is the format of the head, and is stored as floats otherwise.
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

    /// Creates formats from those of each layer and of the output head.
    public init(layers: [Layer], head: Precision) {
        (self.layers, self.head) = (layers, head)
    }

    /// Creates the formats of a model in which all components have the same format.
    ///
    /// The output head has this format too, or the format that ``Precision/head`` replaces it by.
    public init(uniform format: Precision, layers: Int) {
        self.layers = Array(
            repeating: Layer(attention: format, feedForward: format), count: layers)
        head = format.head
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
        head = plan.headFormat ?? format.head
    }

    /// The format of a component's matrices.
    public subscript(component: Component) -> Precision {
        let layer = layers[component.layer]
        return component.kind == .attention ? layer.attention : layer.feedForward
    }

    /// The format of the token embedding of a model; nil if it is stored as floats.
    public func table(of shape: ModelShape) -> Precision? {
        if shape.tiedHead { return head }
        return shape.architecture.isEncoder && head == .int8 ? head : nil
    }

    /// The precision whose model has these formats; nil if there is none.
    public var uniform: Precision? {
        let precision = layers.first?.attention ?? head
        return self == Formats(uniform: precision, layers: layers.count) ? precision : nil
    }
}

extension Precision {
    /// The format of the output head, and of a token embedding that is tied to it, in a model of
    /// this precision.
    ///
    /// It is `int8` for `int4`. In 4 bits these matrices cost more quality than any other. A plan can
    /// still choose 4 bits for them: see ``Plan/headFormat``.
    public var head: Precision { self == .int4 ? .int8 : self }

    /// The number of bytes of the weights of a model in this precision.
    ///
    /// All parameters are counted as weights of components, except for the output head.
    public func weightBytes(of shape: ModelShape) -> Int {
        let inHead = shape.vocabularySize * shape.hiddenSize
        let bits = Double(shape.parameters - inHead) * bits + Double(inHead) * head.bits
        return Int(bits / 8)
    }
}
