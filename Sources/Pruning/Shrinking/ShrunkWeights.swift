internal import Tensors
public import Transformers

/// The weights of a plan: the kept units of every component, corrected for the removed units.
///
/// `@unchecked`: the surgery's cache is its only shared mutable state, and only one thread reads a
/// source.
public struct ShrunkWeights: WeightSource, @unchecked Sendable {
    /// The plan.
    public internal(set) var plan: Plan
    /// The sizes of the shrunk model.
    public internal(set) var shape: ModelShape
    /// The units that each component keeps, ascending.
    public internal(set) var kept: [Component: [Int]] {
        didSet { keepHeads() }
    }
    /// The kept channels of the residual stream, ascending; nil if all are kept.
    public let channels: [Int]?

    let surgery: Surgery
    private let correction: Surgery.Correction
    /// Refitted last projections of components, which replace the surgery's projections.
    var refitted: [Component: Projection] = [:]
    /// Fitted feed-forward blocks by layer, which replace the shrunk blocks.
    var fitted: [Int: FeedForwardWeights] = [:]
    /// Rounded branches, which replace the surgery's.
    private var rounded: [Component: CodedBranch] = [:]

    /// Prepares the weights of a plan; they are computed when they are read.
    ///
    /// - Parameters:
    ///   - plan: The number of units that each component keeps.
    ///   - losses: The removal order of every component.
    ///   - surgery: The dense model and its calibration.
    ///   - order: The ranking of units, which decides the correction for removed units.
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
        keepHeads()
    }

    /// Writes the kept heads into the shape if heads have their own biases.
    private mutating func keepHeads() {
        guard shape.biases != nil else { return }
        let dense = surgery.dense.shape.layers
        for (component, units) in kept where component.kind == .attention {
            var layer = dense[component.layer]
            guard layer.keyValueHeads > 0, !units.isEmpty else { continue }
            layer.keep(heads: units.rows(of: layer.queryHeads / layer.keyValueHeads))
            shape.layers[component.layer].keptHeads = layer.keptHeads
        }
    }

    /// Keeps a rounded branch in place of its weights before rounding, which are freed.
    mutating func keep(_ branch: CodedBranch, of component: Component) {
        rounded[component] = branch
        refitted[component] = nil
        if component.kind == .feedForward { fitted[component.layer] = nil }
    }

    /// The pooling of the dense model.
    public var pooling: Pooling { surgery.dense.pooling }

    /// Frees the surgery's cache, which all plans of the surgery share.
    public func releaseWorkingMemory() { surgery.clearCache() }

    /// Returns the dense embeddings with the kept channels only; the token embedding is rounded if it
    /// is also a rounded output head.
    public func embeddings() throws -> EmbeddingWeights {
        try dense.embeddings().selecting(channels: channels)
    }

    /// Returns the dense or the rounded head with the kept channels only.
    public func head() throws -> HeadWeights {
        try dense.head().selecting(channels: channels)
    }

    /// The output head if the plan's format has its own rounding, or nil.
    private var roundedHead: CodedMatrix? {
        plan.headFormat.flatMap { surgery.roundedHeads[$0] }
    }

    /// The dense model, with the rounded head if there is one.
    private var dense: any WeightSource {
        roundedHead.map { WithRoundedHead(surgery.dense, $0) } ?? surgery.dense
    }

    /// Whether the token embedding differs from the dense model's.
    var changesEmbeddings: Bool { shape.tiedHead && roundedHead != nil }

    /// Returns the layer at an index with the kept units only.
    public func layer(_ index: Int) throws -> LayerWeights {
        try layer(index, correction: correction)
    }

    /// Returns the layer at an index with its final shapes; weights may lack their correction.
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

    /// Returns the shrunk layer of a dense layer with only one of its branches.
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
        if let rounded = rounded[component] { return rounded.replace(component.kind, of: &layer) }
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
    /// Returns a copy of the model with one layer replaced by the layer of a plan.
    public func replacing(layer index: Int, of weights: ShrunkWeights) throws -> Model {
        replacing(
            layer: index, with: try weights.layer(index), sizes: weights.shape.layers[index])
    }
}

extension LayerWeights {
    /// Removes a branch with its norms; a norm of the sum stays, because it normalises the stream.
    mutating func remove(_ kind: ComponentKind, from architecture: Architecture) {
        let keepsNorm = architecture.layer.normPlace.normalisesSum
        switch kind {
        case .attention:
            (attention, attentionOutputNorm) = (nil, nil)
            if !keepsNorm { attentionNorm = nil }
        case .feedForward:
            (feedForward, feedForwardOutputNorm) = (nil, nil)
            if !keepsNorm { feedForwardNorm = nil }
        }
    }
}

extension [Int] {
    /// Returns the rows of these units if each unit has `size` rows.
    func rows(of size: Int) -> [Int] {
        flatMap { $0 * size..<($0 + 1) * size }
    }
}
