public import Tensors
internal import Training
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
///
/// From there all weights of a feed-forward block, not the output projection alone, go down the
/// same sum, as functions of what enters the block.
struct Refit {
    /// α: how much of the residual stream's error a branch is asked to undo.
    static let repairedShare: Float = 0.5

    private(set) var weights: ShrunkWeights
    private let passes: Int
    private let batches: [TokenBatch]
    private let engine: Engine
    private var whole: ForwardPass
    private var shrunk: ForwardPass
    /// The residual streams of the dense model and of the shrunk one before the next branch.
    private var streams: [Activations]
    private var shrunkStreams: [Activations]

    init(
        _ weights: ShrunkWeights, to dense: Model, on batches: [TokenBatch], passes: Int,
        engine: Engine
    ) throws {
        self.passes = passes
        self.weights = weights
        self.batches = batches
        self.engine = engine
        whole = ForwardPass(dense, on: engine)
        shrunk = ForwardPass(try Model(weights), on: engine)
        weights.surgery.forget()
        var pass = whole
        streams = batches.map { pass.embedded($0) }
        shrunkStreams = streams
    }

    /// Refits the next branch and takes both streams behind it.
    mutating func refit(_ component: Component, check: () throws -> Void) throws {
        let outputs = batches.indices.map { index in
            whole.inputs(of: component, in: batches[index], entering: streams[index])
                .flatMap { whole.output(of: component, from: $0) }
        }
        if weights.plan[component] > 0 {
            let outputs = outputs.compactMap(\.self)
            let targets = outputs.indices.map { index in
                var target = outputs[index]
                target.add(streams[index], times: Self.repairedShare)
                target.add(shrunkStreams[index], times: -Self.repairedShare)
                return target
            }
            try choose(component, towards: targets)
            if component.kind == .feedForward, passes > 0 {
                try descend(component, towards: targets, outputs, check: check)
            }
            shrunk.model = try shrunk.model.replacing(layer: component.layer, of: weights)
        }
        for (index, batch) in batches.enumerated() {
            streams[index] = whole.stream(
                after: component, entering: streams[index], adding: outputs[index])
            let output = shrunk.inputs(of: component, in: batch, entering: shrunkStreams[index])
                .flatMap { shrunk.output(of: component, from: $0) }
            shrunkStreams[index] = shrunk.stream(
                after: component, entering: shrunkStreams[index], adding: output)
        }
    }

    /// Chooses units and fits the output projection.
    private mutating func choose(_ component: Component, towards targets: [Activations]) throws {
        let projection = try weights.surgery.dense.layer(component.layer)
            .outputProjection(of: component.kind)
        shrunk.model = try shrunk.model.replacing(
            layer: component.layer, of: weights.uncutting(component))
        var moments = SecondMoments()
        for (index, batch) in batches.enumerated() {
            guard
                let inputs = shrunk.inputs(
                    of: component, in: batch, entering: shrunkStreams[index])
            else { return }
            let ones = Activations(rows: inputs.rows, columns: 1, repeating: 1)
            moments.add(
                Activations(
                    joining: [inputs] + (projection?.bias == nil ? [] : [ones]) + [targets[index]]),
                on: engine)
        }
        let fit = try weights.surgery.refit(
            component, to: weights.plan[component], moments: (consume moments).mean())
        weights.kept[component] = fit?.units
        weights.refitted[component] = fit?.projection
    }

    /// Fits all weights of a feed-forward block.
    private mutating func descend(
        _ component: Component, towards targets: [Activations], _ outputs: [Activations],
        check: () throws -> Void
    ) throws {
        guard let block = try weights.layer(component.layer).feedForward else { return }
        // With a share β of the dense model's examples all count alike.
        var (inputs, wanted) = (Activations(), Activations())
        for index in batches.indices {
            inputs.append(shrunk.entry(of: component, entering: shrunkStreams[index]))
            wanted.append(targets[index])
            let rows = stride(from: 0, to: outputs[index].rows, by: Int(1 / Surgery.denseShare))
            var some = Activations()
            engine.select(
                whole.entry(of: component, entering: streams[index]), rows: Array(rows),
                into: &some)
            inputs.append(some)
            engine.select(outputs[index], rows: Array(rows), into: &some)
            wanted.append(some)
        }
        weights.fitted[component.layer] = try block.fitted(
            to: Examples(inputs: inputs, targets: wanted),
            function: weights.shape.architecture.activation, passes: passes,
            seed: UInt64(component.layer), engine: engine, check: check)
    }
}

extension ShrunkWeights {
    /// How often refitting usually sees each token.
    public static let refitPasses = 3

    /// The same plan with units and weights refitted to a model's residual stream.
    ///
    /// - Parameters:
    ///   - dense: The dense model.
    ///   - batches: Calibration sequences; their residual streams are kept.
    ///   - passes: How often the descent of a feed-forward block sees each token.
    ///   - engine: What to compute on.
    ///   - progress: Called, more than once, with the components done; may throw to stop.
    /// - Returns: The refitted weights.
    /// - Throws: `SurgeonError`, a read error, or what `progress` throws.
    /// - Complexity: A forward pass of both models, for each component the second moments of its
    ///   inputs and outputs, and for each of the passes seven thirds of the feed-forward block.
    public func refitted(
        to dense: Model, on batches: [TokenBatch], passes: Int = refitPasses, engine: Engine,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> ShrunkWeights {
        var refit = try Refit(self, to: dense, on: batches, passes: passes, engine: engine)
        for (place, component) in dense.shape.components.sorted().enumerated() {
            try refit.refit(component) { try progress(place) }
            try progress(place + 1)
        }
        return refit.weights
    }

    /// The same with all units of one component, as they were.
    fileprivate func uncutting(_ component: Component) -> ShrunkWeights {
        var result = self
        result.plan[component] = surgery.dense.shape.units(of: component)
        result.shape = surgery.dense.shape.applying(result.plan)
        result.kept[component] = Array(0..<result.plan[component])
        result.refitted[component] = nil
        return result
    }
}
