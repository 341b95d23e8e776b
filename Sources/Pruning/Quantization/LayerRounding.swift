public import Tensors
public import Transformers

/// Rounds the projections of a model to a grid, one layer after another, with ``GPTQ``.
///
/// The second moments of the inputs of a projection are those in the rounded model: calibration text
/// goes through the rounded layers, and in a layer through the projections that are already rounded.
/// A layer has four kinds of inputs: of the query, key and value projections; of the attention
/// block's output projection; of the gate and up projections; of the down projection.
///
/// In memory are the residual stream of the text, the inputs of one output projection, and one layer.
public final class LayerRounding {
    /// The grid of the rounded weights.
    public let grid: WeightGrid

    private let weights: any WeightSource
    private let batches: [TokenBatch]
    private let damping: Double
    private let engine: Engine
    /// The model without layers.
    private let blank: Model
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
    ///   - grid: The grid. Projections whose inputs do not fill its groups are not rounded.
    ///   - batches: Batches of calibration sequences.
    ///   - damping: The fraction of the mean diagonal that is added to the diagonal of the second
    ///     moments.
    ///   - engine: The engine to compute on. The result does not depend on its number of threads.
    /// - Throws: What reading the weights throws.
    public init(
        _ weights: any WeightSource, to grid: WeightGrid, on batches: [TokenBatch],
        damping: Double = 0.01, engine: Engine
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

    /// A layer with rounded projections.
    ///
    /// - Parameters:
    ///   - index: The index of the layer, which ascends from call to call. The layers that are left
    ///     out are rounded too, because later layers depend on them.
    ///   - check: Called repeatedly; may throw to stop.
    /// - Returns: The layer. Its rounded projections have codes.
    /// - Throws: ``SurgeonError``, `NonFiniteError` if a weight is outside the range of the grid,
    ///   and what reading the weights and `check` throw. After that, the rounding cannot be used.
    public func layer(_ index: Int, check: () throws -> Void = {}) throws -> LayerWeights {
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

    /// Rounds the projections of a component, and advances the streams past it.
    private func round(
        _ component: Component, of layer: inout LayerWeights, _ check: () throws -> Void
    ) throws {
        insert(layer)
        guard let output = layer[outputOf: component.kind] else {
            for index in batches.indices {
                streams[index] = pass.stream(
                    after: component, entering: streams[index], adding: nil)
            }
            return
        }
        var moments = SecondMoments()
        for stream in streams {
            try check()
            moments.add(pass.entry(of: component, entering: stream), on: engine)
        }
        layer[inputsOf: component.kind] = try rounded(
            layer[inputsOf: component.kind], of: component, moments: (consume moments).mean())
        insert(layer)
        moments = SecondMoments()
        var inputs: [Activations] = []
        for index in batches.indices {
            try check()
            guard
                let activations = pass.inputs(
                    of: component, in: batches[index], entering: streams[index])
            else { return }
            moments.add(activations, on: engine)
            inputs.append(activations)
        }
        layer[outputOf: component.kind] = try rounded(
            [output], of: component, moments: (consume moments).mean())[0]
        insert(layer)
        for index in batches.indices {
            try check()
            streams[index] = pass.stream(
                after: component, entering: streams[index],
                adding: pass.output(of: component, from: inputs[index]))
        }
    }

    /// Makes the forward pass run these weights of the next layer.
    private func insert(_ layer: LayerWeights) {
        pass.model = blank.replacing(
            layer: next, with: layer, sizes: weights.shape.layers[next])
    }

    /// Rounds projections of the same inputs, whose second moments are given.
    private func rounded(
        _ projections: [Projection], of component: Component, moments: consuming Matrix<Double>
    ) throws -> [Projection] {
        let columns = moments.columns
        guard columns % (grid.group ?? 1) == 0 else { return projections }
        guard (0..<columns).allSatisfy({ [moments] in moments[$0, $0].isFinite }) else {
            throw SurgeonError.momentsNotFinite(component)
        }
        for projection in projections {
            guard
                let found = firstOutside(
                    projection.weight.elements, limit: grid.maximumMagnitude)
            else { continue }
            throw NonFiniteError(
                "a weight of \(component.kind.rawValue) of layer \(component.layer)",
                problem: "is \(found.value), beyond ±\(grid.maximumMagnitude)",
                remedy: "store the weights as f32")
        }
        let gptq = try GPTQ(
            hessian: moments, grid: grid, damping: damping, pool: engine.pool)
        let codes = gptq.rounded(Matrix(stacking: projections.map(\.weight)))
        var first = 0
        return projections.map { projection in
            let rows = first..<first + projection.weight.rows
            first = rows.upperBound
            return Projection(
                codes: codes.selecting(rows: Array(rows)), bias: projection.bias)
        }
    }
}

extension LayerWeights {
    /// The projections of the input of a component.
    fileprivate subscript(inputsOf kind: ComponentKind) -> [Projection] {
        get {
            switch kind {
            case .attention: attention.map { [$0.query, $0.key, $0.value] } ?? []
            case .feedForward:
                feedForward.map { block in (block.gate.map { [$0] } ?? []) + [block.up] } ?? []
            }
        }
        set {
            switch kind {
            case .attention:
                attention?.query = newValue[0]
                attention?.key = newValue[1]
                attention?.value = newValue[2]
            case .feedForward:
                if newValue.count > 1 { feedForward?.gate = newValue[0] }
                feedForward?.up = newValue[newValue.count - 1]
            }
        }
    }

    /// The projection of the output of a component.
    fileprivate subscript(outputOf kind: ComponentKind) -> Projection? {
        get { outputProjection(of: kind) }
        set {
            guard let newValue else { return }
            switch kind {
            case .attention: attention?.output = newValue
            case .feedForward: feedForward?.down = newValue
            }
        }
    }
}
