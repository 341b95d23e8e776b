/// The two kinds of residual branch.
public enum ComponentKind: String, Codable, Hashable, Sendable, CaseIterable {
    /// The attention block; its unit is a head, or a key-value group with its query heads.
    case attention
    /// The feed-forward block; its unit is one neuron.
    case feedForward
}

/// One residual branch of one layer.
public struct Component: Codable, Hashable, Sendable, Comparable {
    /// The layer's index from the input.
    public let layer: Int
    /// Which of the layer's two branches.
    public let kind: ComponentKind

    /// Creates a component.
    public init(layer: Int, kind: ComponentKind) {
        self.layer = layer
        self.kind = kind
    }

    /// Orders components as the forward pass meets them.
    public static func < (left: Component, right: Component) -> Bool {
        (left.layer, left.kind == .feedForward ? 1 : 0)
            < (right.layer, right.kind == .feedForward ? 1 : 0)
    }
}

/// What each component becomes, and the channels of the residual stream that are kept.
public struct Plan: Hashable, Sendable {
    /// What the attention block of each layer becomes.
    private var attentionBlocks: [Variant]
    /// What the feed-forward block of each layer becomes.
    private var feedForwardBlocks: [Variant]
    /// Kept channels of the residual stream; nil keeps all.
    public var hiddenSize: Int?

    /// Creates a plan from the kept units of each layer.
    public init(attention: [Int], feedForward: [Int], hiddenSize: Int? = nil) {
        attentionBlocks = attention.map { Variant(units: $0) }
        feedForwardBlocks = feedForward.map { Variant(units: $0) }
        self.hiddenSize = hiddenSize
    }

    /// The plan that keeps everything of a model.
    public init(keepingAllOf shape: ModelShape) {
        self.init(
            attention: shape.layers.map(\.keyValueHeads),
            feedForward: shape.layers.map(\.feedForward))
    }

    /// Kept heads (or key-value groups) of each layer.
    public var attention: [Int] {
        get { attentionBlocks.map(\.units) }
        set { attentionBlocks = newValue.map { Variant(units: $0) } }
    }

    /// Kept feed-forward neurons of each layer.
    public var feedForward: [Int] {
        get { feedForwardBlocks.map(\.units) }
        set { feedForwardBlocks = newValue.map { Variant(units: $0) } }
    }

    /// What the components of one kind become, layer by layer.
    public func variants(of kind: ComponentKind) -> [Variant] {
        switch kind {
        case .attention: attentionBlocks
        case .feedForward: feedForwardBlocks
        }
    }

    /// What one component becomes.
    public subscript(component: Component) -> Variant {
        get {
            switch component.kind {
            case .attention: attentionBlocks[component.layer]
            case .feedForward: feedForwardBlocks[component.layer]
            }
        }
        set {
            switch component.kind {
            case .attention: attentionBlocks[component.layer] = newValue
            case .feedForward: feedForwardBlocks[component.layer] = newValue
            }
        }
    }

    /// All components, in the order of the forward pass.
    public var components: [Component] {
        attentionBlocks.indices.flatMap {
            [Component(layer: $0, kind: .attention), Component(layer: $0, kind: .feedForward)]
        }
    }
}

extension Plan: Codable {
    private enum CodingKeys: String, CodingKey {
        case attentionBlocks = "attention"
        case feedForwardBlocks = "feedForward"
        case hiddenSize
    }
}

extension ModelShape {
    /// The units of a component that this model has.
    public func units(of component: Component) -> Int {
        Plan(keepingAllOf: self)[component].units
    }

    /// The components that have units, in the order of the forward pass.
    public var components: [Component] {
        Plan(keepingAllOf: self).components.filter { units(of: $0) > 0 }
    }

    /// The shape that remains when this model keeps only a plan's units.
    public func applying(_ plan: Plan) -> ModelShape {
        var result = self
        result.hiddenSize = plan.hiddenSize ?? hiddenSize
        for (index, layer) in layers.enumerated() {
            let groupSize = layer.keyValueHeads == 0 ? 0 : layer.queryHeads / layer.keyValueHeads
            result.layers[index] = LayerShape(
                queryHeads: plan.attention[index] * groupSize,
                keyValueHeads: plan.attention[index],
                feedForward: plan.feedForward[index])
        }
        return result
    }
}
