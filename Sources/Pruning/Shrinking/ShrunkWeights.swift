internal import Tensors
public import Transformers

/// The weights of a plan: the kept units of every component, what stays corrected for what goes.
///
/// `@unchecked`: the surgery's cache is its only mutable part, and a source is read by one thread.
public struct ShrunkWeights: WeightSource, @unchecked Sendable {
    /// The plan.
    public internal(set) var plan: Plan
    /// The sizes that the plan leaves.
    public internal(set) var shape: ModelShape
    /// The units that each component keeps, ascending.
    public internal(set) var kept: [Component: [Int]]
    /// The channels that the residual stream keeps, ascending; nil where all are.
    public let channels: [Int]?

    let surgery: Surgery
    private let correction: Surgery.Correction
    /// Output projections that take the place of the surgery's.
    var refitted: [Component: Projection] = [:]
    /// Feed-forward blocks that take the place of what is left of a layer's.
    var fitted: [Int: FeedForwardWeights] = [:]

    /// Prepares the weights of a plan; they are made when read.
    ///
    /// - Parameters:
    ///   - plan: How many units each component keeps.
    ///   - losses: Which ones go first.
    ///   - surgery: The dense model and its calibration.
    ///   - order: How units were ranked, which says what makes up for those that go.
    public init(_ plan: Plan, losses: LossTable, surgery: Surgery, order: Surgery.Order) {
        self.plan = plan
        self.surgery = surgery
        correction = order.correction
        shape = surgery.dense.shape.applying(plan)
        channels =
            shape.hiddenSize < surgery.dense.shape.hiddenSize
            ? surgery.channels(shape.hiddenSize) : nil
        kept = losses.components.reduce(into: [:]) {
            $0[$1.key] = $1.value.kept(plan[$1.key].units)
        }
    }

    /// The dense model's.
    public var pooling: Pooling { surgery.dense.pooling }

    /// Gives back what is remembered to make the next weights faster, of all plans of one surgery.
    public func forgetWorkingMemory() { surgery.forget() }

    /// The dense embeddings, of the kept channels.
    public func embeddings() throws -> EmbeddingWeights {
        try surgery.dense.embeddings().selecting(channels: channels)
    }

    /// The dense head, of the kept channels.
    public func head() throws -> HeadWeights {
        try surgery.dense.head().selecting(channels: channels)
    }

    /// The layer at an index, with the kept units alone.
    public func layer(_ index: Int) throws -> LayerWeights {
        try layer(index, correction: correction)
    }

    /// The layer at an index, whose corrected weights may have other values than they will.
    public func outline(_ index: Int) throws -> LayerWeights {
        try layer(index, correction: correction == .bias ? .bias : .none)
    }

    private func layer(_ index: Int, correction: Surgery.Correction) throws -> LayerWeights {
        var layer = try surgery.dense.layer(index)
        for kind in ComponentKind.allCases {
            try shrink(&layer, Component(layer: index, kind: kind), correction)
        }
        return layer.selecting(channels: channels)
    }

    /// One branch alone of the layer that a dense one becomes.
    func branch(_ component: Component, of dense: LayerWeights) throws -> LayerWeights {
        var layer = dense
        switch component.kind {
        case .attention: layer.feedForward = nil
        case .feedForward: layer.attention = nil
        }
        try shrink(&layer, component, correction)
        return layer
    }

    private func shrink(
        _ layer: inout LayerWeights, _ component: Component, _ correction: Surgery.Correction
    ) throws {
        let dense = surgery.dense.shape
        guard let units = kept[component], let whole = layer.outputProjection(of: component.kind)
        else { return }
        guard !units.isEmpty else { return layer.remove(component.kind, from: dense.architecture) }
        if component.kind == .feedForward, let block = fitted[component.layer] {
            layer.feedForward = block
            return
        }
        let isWhole = units.count == dense.units(of: component)
        if isWhole, refitted[component] == nil { return }
        let output =
            try refitted[component]
            ?? surgery.projection(
                of: component, from: whole, keeping: units, correction: correction)
        switch component.kind {
        case .attention:
            let width = dense.headDimension
            let queries = units.rows(of: dense.unitSize(of: component))
            let keys = units.rows(of: width)
            guard let block = layer.attention else { return }
            layer.attention?.query = block.query.selecting(rows: queries)
            layer.attention?.key = block.key.selecting(rows: keys)
            layer.attention?.value = block.value.selecting(rows: keys)
            layer.attention?.output = output
        case .feedForward:
            guard let block = layer.feedForward else { return }
            layer.feedForward = FeedForwardWeights(
                gate: block.gate?.selecting(rows: units), up: block.up.selecting(rows: units),
                down: output)
        }
    }
}

extension Model {
    /// The same model with one layer of a plan's weights.
    public func replacing(layer index: Int, of weights: ShrunkWeights) throws -> Model {
        replacing(
            layer: index, with: try weights.layer(index), sizes: weights.shape.layers[index])
    }
}

extension LayerWeights {
    /// Removes a branch; its norm stays in post-norm models, where it normalises the stream.
    mutating func remove(_ kind: ComponentKind, from architecture: Architecture) {
        let keepsNorm = architecture.layer.normPlace == .behind
        switch kind {
        case .attention:
            attention = nil
            if !keepsNorm { attentionNorm = nil }
        case .feedForward:
            feedForward = nil
            if !keepsNorm { feedForwardNorm = nil }
        }
    }
}

extension [Int] {
    /// The rows of units of a number of rows each.
    func rows(of size: Int) -> [Int] {
        flatMap { $0 * size..<($0 + 1) * size }
    }
}
