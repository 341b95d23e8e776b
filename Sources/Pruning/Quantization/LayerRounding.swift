public import Tensors
public import Transformers

/// Rounds the projections of a model to grids, one layer after another, with ``GPTQ``.
///
/// The second moments of the inputs of a projection are those in the rounded model: calibration text
/// goes through the rounded layers, and in a layer through the projections that are already rounded.
/// A layer has four kinds of inputs: of the query, key and value projections; of the attention
/// block's output projection; of the gate and up projections; of the down projection.
///
/// In memory are the residual stream of the text, the inputs of one output projection, and one layer.
///
/// As a source of weights, it gives the rounded layers in ascending order, each at most once.
///
/// `@unchecked`: only one thread reads a source.
public final class LayerRounding: WeightSource, @unchecked Sendable {
    let weights: any WeightSource
    /// The grid of a component; nil if it is not rounded.
    private let grid: @Sendable (Component) -> WeightGrid?
    private let batches: [TokenBatch]
    private let damping: Double
    /// The model without layers.
    private let blank: Model
    private let engine: Engine
    /// A forward pass through the layer that is being rounded.
    private var pass: ForwardPass
    /// The residual streams of the batches before the next component.
    private var streams: [Activations]
    /// The index of the next layer.
    private var next = 0

    /// Prepares text for the first layer.
    ///
    /// - Parameters:
    ///   - weights: The weights, read one layer at a time.
    ///   - grid: The grid.
    ///   - batches: Batches of calibration sequences.
    ///   - damping: The fraction of the mean diagonal that is added to the diagonal of the second
    ///     moments.
    ///   - engine: The engine to compute on. The result does not depend on its number of threads.
    /// - Throws: What reading the weights throws.
    public convenience init(
        _ weights: any WeightSource, to grid: WeightGrid, on batches: [TokenBatch],
        damping: Double = 0.01, engine: Engine
    ) throws {
        try self.init(weights, on: batches, damping: damping, engine: engine) { _ in grid }
    }

    /// Prepares text for the first layer of a model whose components have formats.
    ///
    /// The components whose format needs ``GPTQ`` are rounded. The parameters and errors are those of
    /// the initialiser for one grid.
    public convenience init(
        _ weights: any WeightSource, to formats: Formats, on batches: [TokenBatch],
        damping: Double = 0.01, engine: Engine
    ) throws {
        try self.init(weights, on: batches, damping: damping, engine: engine) {
            WeightGrid(roundingTo: formats[$0])
        }
    }

    private init(
        _ weights: any WeightSource, on batches: [TokenBatch], damping: Double, engine: Engine,
        grid: @escaping @Sendable (Component) -> WeightGrid?
    ) throws {
        self.weights = weights
        self.grid = grid
        self.batches = batches
        self.damping = damping
        self.engine = engine
        blank = try Model(embeddingsOf: weights)
        pass = ForwardPass(blank, on: engine)
        streams = []
        for batch in batches { streams.append(pass.embedded(batch)) }
    }

    /// The sizes of the model.
    public var shape: ModelShape { weights.shape }

    /// The pooling of an encoder.
    public var pooling: Pooling { weights.pooling }

    /// The embeddings, which are not rounded.
    public func embeddings() throws -> EmbeddingWeights { try weights.embeddings() }

    /// The final norm and the output head, which are not rounded.
    public func head() throws -> HeadWeights { try weights.head() }

    /// A layer that is not rounded.
    public func outline(_ index: Int) throws -> LayerWeights { try weights.outline(index) }

    /// A layer with rounded projections.
    public func layer(_ index: Int) throws -> LayerWeights { try layer(index, check: {}) }

    /// A layer with rounded projections.
    ///
    /// - Parameters:
    ///   - index: The index of the layer, which ascends from call to call. The layers that are left
    ///     out are rounded too, because later layers depend on them.
    ///   - check: Called repeatedly; may throw to stop.
    /// - Returns: The layer. Its rounded projections have codes.
    /// - Throws: ``SurgeonError``, `NonFiniteError` if a weight is outside the range of the grid,
    ///   and what reading the weights and `check` throw. After that, the rounding cannot be used.
    public func layer(_ index: Int, check: () throws -> Void) throws -> LayerWeights {
        precondition(index >= next, "a layer before the last one")
        var layer = try rounded(check)
        while next <= index { layer = try rounded(check) }
        return layer
    }

    /// Rounds the next layer.
    private func rounded(_ check: () throws -> Void) throws -> LayerWeights {
        var layer = try weights.layer(next)
        for kind in [ComponentKind.attention, .feedForward] {
            try round(Component(layer: next, kind: kind), of: &layer, check)
        }
        next += 1
        return layer
    }

    /// The inputs of a component's last projection, one for each batch; nil if the layer does not
    /// have the component.
    private func projected(
        _ component: Component, _ check: () throws -> Void
    ) throws -> [Activations]? {
        var inputs: [Activations] = []
        for (batch, stream) in zip(batches, streams) {
            try check()
            guard let next = pass.inputs(of: component, in: batch, entering: stream)
            else { return nil }
            inputs.append(next)
        }
        return inputs
    }

    /// Rounds the projections of a component, and advances the streams past it.
    private func round(
        _ component: Component, of layer: inout LayerWeights, _ check: () throws -> Void
    ) throws {
        let sizes = weights.shape.layers[component.layer]
        var inputs: [Activations]?
        if let grid = grid(component) {
            let branches = BranchRounding(
                grid: grid, batches: batches, damping: damping, blank: blank, engine: engine)
            inputs = try branches.round(
                component, of: &layer, sizes: sizes, entering: streams, with: &pass, check: check)
        } else {
            pass.model = blank.replacing(layer: component.layer, with: layer, sizes: sizes)
            inputs = try projected(component, check)
        }
        for index in streams.indices {
            try check()
            streams[index] = pass.stream(
                after: component, entering: streams[index],
                adding: inputs.flatMap { pass.output(of: component, from: $0[index]) })
        }
    }
}
