public import Tensors
internal import Transformers

/// Rounds the projections of one branch after another with ``GPTQ``, on the inputs that calibration
/// text gives them.
///
/// First the projections of the branch's input are rounded together. The last projection is then
/// rounded on the inputs that the rounded ones give it.
struct BranchRounding {
    /// The grid of the rounded weights.
    let grid: WeightGrid
    /// Batches of calibration sequences.
    let batches: [TokenBatch]
    /// The fraction of the mean diagonal that is added to the diagonal of second moments.
    let damping: Double
    /// The model without layers.
    let blank: Model
    /// The engine to compute on; the result does not depend on its number of threads.
    let engine: Engine

    /// Rounds the projections of a branch.
    ///
    /// - Parameters:
    ///   - component: The branch.
    ///   - layer: The layer of the branch. Its rounded projections have codes afterwards.
    ///   - sizes: The sizes of the layer.
    ///   - streams: The residual streams of the batches before the branch.
    ///   - pass: A forward pass, which runs the branch of `layer` afterwards.
    ///   - check: Called repeatedly; may throw to stop.
    /// - Returns: The inputs of the branch's last projection, one for each batch; nil if the layer
    ///   does not have the branch.
    /// - Throws: ``SurgeonError``, `NonFiniteError` if a weight is outside the range of the grid,
    ///   and what `check` throws.
    func round(
        _ component: Component, of layer: inout LayerWeights, sizes: LayerShape,
        entering streams: [Activations], with pass: inout ForwardPass, check: () throws -> Void
    ) throws -> [Activations]? {
        try roundInputs(
            component, of: &layer, sizes: sizes, entering: streams, with: &pass, check: check)
        var (moments, inputs) = (SecondMoments(), [Activations]())
        for (batch, stream) in zip(batches, streams) {
            try check()
            guard let activations = pass.inputs(of: component, in: batch, entering: stream)
            else { return nil }
            moments.add(activations, on: engine)
            inputs.append(activations)
        }
        try roundOutput(component, of: &layer, moments: (consume moments).mean())
        pass.model = blank.replacing(layer: component.layer, with: layer, sizes: sizes)
        return inputs
    }

    /// Rounds the projections of the input of a branch.
    ///
    /// The parameters and errors are those of
    /// ``round(_:of:sizes:entering:with:check:)``.
    func roundInputs(
        _ component: Component, of layer: inout LayerWeights, sizes: LayerShape,
        entering streams: [Activations], with pass: inout ForwardPass, check: () throws -> Void
    ) throws {
        pass.model = blank.replacing(layer: component.layer, with: layer, sizes: sizes)
        guard layer[outputOf: component.kind] != nil else { return }
        var moments = SecondMoments()
        for stream in streams {
            try check()
            moments.add(pass.entry(of: component, entering: stream), on: engine)
        }
        layer[inputsOf: component.kind] = try rounded(
            layer[inputsOf: component.kind], of: component, moments: (consume moments).mean())
        pass.model = blank.replacing(layer: component.layer, with: layer, sizes: sizes)
    }

    /// Rounds the last projection of a branch, whose inputs have the given second moments.
    func roundOutput(
        _ component: Component, of layer: inout LayerWeights, moments: consuming Matrix<Double>
    ) throws {
        guard let output = layer[outputOf: component.kind] else { return }
        layer[outputOf: component.kind] = try rounded(
            [output], of: component, moments: moments)[0]
    }

    /// Rounds projections of the same inputs, whose second moments are given.
    ///
    /// Projections whose inputs do not fill the groups of the grid are not rounded.
    private func rounded(
        _ projections: [Projection], of component: Component, moments: consuming Matrix<Double>
    ) throws -> [Projection] {
        let columns = moments.columns
        guard columns % (grid.group ?? 1) == 0 else { return projections }
        guard (0..<columns).allSatisfy({ [moments] in moments[$0, $0].isFinite }) else {
            throw SurgeonError.momentsNotFinite(component)
        }
        for projection in projections {
            try grid.check(
                projection.weight, "\(component.kind.rawValue) of layer \(component.layer)")
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
    subscript(inputsOf kind: ComponentKind) -> [Projection] {
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
    subscript(outputOf kind: ComponentKind) -> Projection? {
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

extension WeightGrid {
    /// The grid of a format for ``GPTQ``; nil for formats to which every weight is rounded to
    /// nearest, because the errors are too small to matter.
    public init?(roundingTo format: Precision) {
        guard format == .int4 else { return nil }
        self = .q40
    }
}
