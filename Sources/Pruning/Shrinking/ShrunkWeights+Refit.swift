public import Tensors
public import Transformers

/// Refitting on the shrunk model's own inputs.
///
/// Optimal Brain Surgeon fits each output projection to inputs of the dense model, which a shrunk
/// model no longer has, and knows nothing of what the branches before have left undone. So branch
/// by branch, from the first layer on, with x̂ the inputs that the projection has now, W x what the
/// dense branch adds, r̂ and r the residual streams of both models before it:
///
///     Ŵ  =  argmin  E‖Ŵ x̂ − (W x + α (r − r̂))‖²  +  β E‖Ŵ x − W x‖²
///
/// over as many units as the plan keeps, chosen by Optimal Brain Surgeon for the same sum. With
/// α = 0 errors add up; with α = 1 a branch chases all of them, beyond what its units can tell of
/// text that it was not fitted to. The second term, of all calibration text, holds it to what it
/// did in the dense model.
extension ShrunkWeights {
    /// α: how much of the residual stream's error a branch is asked to undo.
    static let repairedShare: Float = 0.5

    /// The same plan with units and output projections refitted to a model's residual stream.
    ///
    /// - Parameters:
    ///   - dense: The dense model.
    ///   - batches: Calibration sequences; their residual streams are kept.
    ///   - engine: What to compute on.
    ///   - progress: Called with the components done; may throw to stop.
    /// - Returns: The refitted weights.
    /// - Throws: `SurgeonError`, a read error, or what `progress` throws.
    /// - Complexity: A forward pass of both models and, for each component, the second moments of
    ///   its inputs and outputs.
    public func refitted(
        to dense: Model, on batches: [TokenBatch], engine: Engine,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> ShrunkWeights {
        var result = self
        var whole = ForwardPass(dense, on: engine)
        var shrunk = ForwardPass(try Model(self), on: engine)
        var streams = batches.map { whole.embedded($0) }
        var shrunkStreams = streams
        let tokens = batches.reduce(0) { $0 + $1.ids.count }
        for (place, component) in dense.shape.components.sorted().enumerated() {
            let hasBias =
                try surgery.dense.layer(component.layer).outputProjection(of: component.kind)?
                .bias != nil
            var moments: Matrix<Double>?
            var inputs: [Activations] = []
            if plan[component] > 0 {
                shrunk.model = try shrunk.model.replacing(
                    layer: component.layer, of: result.uncutting(component))
            }
            for (index, batch) in batches.enumerated() {
                let (stream, own) = (streams[index], shrunkStreams[index])
                let output = whole.inputs(of: component, in: batch, entering: stream)
                    .flatMap { whole.output(of: component, from: $0) }
                if let output,
                    let seen = shrunk.inputs(of: component, in: batch, entering: own)
                {
                    let joint = Activations(
                        joining: seen, ones: hasBias,
                        targets: output, stream, own, share: Self.repairedShare)
                    var sum =
                        moments ?? Matrix(rows: joint.columns, columns: joint.columns)
                    moments = nil
                    engine.addGram(of: joint, to: &sum)
                    moments = sum
                    inputs.append(seen)
                }
                streams[index] = whole.stream(after: component, entering: stream, adding: output)
            }
            if var moments {
                moments.mirrorUpperTriangle()
                for index in moments.elements.indices { moments.elements[index] /= Double(tokens) }
                let fit = try surgery.refit(component, to: plan[component], moments: moments)
                result.kept[component] = fit?.units
                result.refitted[component] = fit?.projection
                shrunk.model = try shrunk.model.replacing(layer: component.layer, of: result)
            }
            let columns = (result.kept[component] ?? [])
                .rows(of: surgery.dense.shape.unitSize(of: component))
            for index in batches.indices {
                let output =
                    inputs.isEmpty
                    ? nil
                    : shrunk.output(
                        of: component,
                        from: Activations(inputs[index].matrix.selecting(columns: columns)))
                shrunkStreams[index] = shrunk.stream(
                    after: component, entering: shrunkStreams[index], adding: output)
            }
            try progress(place + 1)
        }
        return result
    }

    /// The same with all units of one component, as they were.
    private func uncutting(_ component: Component) -> ShrunkWeights {
        var result = self
        result.plan[component] = surgery.dense.shape.units(of: component)
        result.shape = surgery.dense.shape.applying(result.plan)
        result.kept[component] = Array(0..<result.plan[component])
        result.refitted[component] = nil
        return result
    }
}

extension Activations {
    /// Rows of inputs, perhaps a 1, and `output + share · (stream - own)`.
    fileprivate init(
        joining inputs: Activations, ones: Bool, targets output: Activations,
        _ stream: Activations, _ own: Activations, share: Float
    ) {
        let columns = inputs.columns + (ones ? 1 : 0) + output.columns
        var elements: [Float] = []
        elements.reserveCapacity(inputs.rows * columns)
        for row in 0..<inputs.rows {
            elements += inputs.row(row)
            if ones { elements.append(1) }
            let (output, stream, own) = (output.row(row), stream.row(row), own.row(row))
            for (index, value) in output.enumerated() {
                let error =
                    stream[stream.startIndex + index] - own[own.startIndex + index]
                elements.append(value + share * error)
            }
        }
        self.init(Matrix(rows: inputs.rows, columns: columns, elements: elements))
    }
}
