public import Tensors

/// The two kinds of component.
public enum ComponentKind: String, Codable, Hashable, Sendable, CaseIterable {
    /// The attention block, whose units are heads, or key-value groups with their query heads.
    case attention
    /// The feed-forward block, whose units are neurons.
    case feedForward
}

/// The attention block or the feed-forward block of one layer.
public struct Component: Codable, Hashable, Sendable, Comparable {
    /// The layer's index from the input.
    public let layer: Int
    /// The kind of the component.
    public let kind: ComponentKind

    /// Creates a component.
    public init(layer: Int, kind: ComponentKind) {
        self.layer = layer
        self.kind = kind
    }

    /// Orders components by their order in the forward pass.
    public static func < (left: Component, right: Component) -> Bool {
        (left.layer, left.kind == .feedForward ? 1 : 0)
            < (right.layer, right.kind == .feedForward ? 1 : 0)
    }
}

/// The variant of each component, and the number of kept channels of the residual stream.
public struct Plan: Hashable, Sendable {
    /// The variant of the attention block of each layer.
    private var attentionBlocks: [Variant]
    /// The variant of the feed-forward block of each layer.
    private var feedForwardBlocks: [Variant]
    /// The number of kept channels of the residual stream; nil keeps all.
    public var hiddenSize: Int?
    /// The format of the output head and of a token embedding that is tied to it; nil if they have
    /// no format of their own.
    public var headFormat: Precision?

    /// Creates a plan from the number of kept units of each layer.
    public init(attention: [Int], feedForward: [Int], hiddenSize: Int? = nil) {
        attentionBlocks = attention.map { Variant(units: $0) }
        feedForwardBlocks = feedForward.map { Variant(units: $0) }
        self.hiddenSize = hiddenSize
    }

    /// Creates the plan that keeps all units of a model.
    public init(keepingAllOf shape: ModelShape) {
        self.init(
            attention: shape.layers.map(\.keyValueHeads),
            feedForward: shape.layers.map(\.feedForward))
    }

    /// The number of kept heads, or key-value groups, of each layer.
    public var attention: [Int] {
        get { attentionBlocks.map(\.units) }
        set { attentionBlocks.keep(newValue) }
    }

    /// The number of kept feed-forward neurons of each layer.
    public var feedForward: [Int] {
        get { feedForwardBlocks.map(\.units) }
        set { feedForwardBlocks.keep(newValue) }
    }

    /// The variants of the components of one kind, in the order of the layers.
    public func variants(of kind: ComponentKind) -> [Variant] {
        switch kind {
        case .attention: attentionBlocks
        case .feedForward: feedForwardBlocks
        }
    }

    /// The variant of one component.
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

extension [Variant] {
    /// Changes the number of kept units of each variant.
    fileprivate mutating func keep(_ units: [Int]) {
        precondition(units.count == count, "units of every layer")
        for index in indices { self[index].units = units[index] }
    }
}

extension Plan: Codable {
    private enum CodingKeys: String, CodingKey {
        case attentionBlocks = "attention"
        case feedForwardBlocks = "feedForward"
        case hiddenSize
        case headFormat
    }
}

extension ModelShape {
    /// The number of units of a component.
    public func units(of component: Component) -> Int {
        Plan(keepingAllOf: self)[component].units
    }

    /// The components that have units, in the order of the forward pass.
    public var components: [Component] {
        Plan(keepingAllOf: self).components.filter { units(of: $0) > 0 }
    }

    /// The shape of this model after pruning with a plan that keeps the first units.
    public func applying(_ plan: Plan) -> ModelShape {
        var result = self
        result.hiddenSize = plan.hiddenSize ?? hiddenSize
        for (index, layer) in layers.enumerated() {
            let groupSize = layer.keyValueHeads == 0 ? 0 : layer.queryHeads / layer.keyValueHeads
            let queryHeads = plan.attention[index] * groupSize
            result.layers[index].queryHeads = queryHeads
            if layer.keptHeads != nil { result.layers[index].keep(heads: Array(0..<queryHeads)) }
            result.layers[index].keyValueHeads = plan.attention[index]
            result.layers[index].feedForward = plan.feedForward[index]
        }
        return result
    }
}
