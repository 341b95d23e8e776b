public import Tensors
internal import Training
public import Transformers

/// Refits the last projection of each component to its inputs in the shrunk model.
///
/// Optimal Brain Surgeon fits each last projection to its inputs in the dense model. The inputs in
/// a shrunk model differ, and the errors of earlier branches are ignored. So this fit visits the
/// branches in the order of the forward pass, and solves for each branch:
///
///     Ŵ  =  argmin  E‖Ŵ x̂ − (W x + α (r − r̂))‖²  +  β E‖Ŵ x − W x‖²
///
/// x̂ are the projection's inputs in the shrunk model. W x is the output of the dense branch. r̂ and
/// r are the residual streams of the shrunk and of the dense model before the branch.
///
/// Ŵ has the number of units that the plan keeps, chosen by Optimal Brain Surgeon for the same sum.
/// With α = 0, errors add up. With α = 1, a branch is fitted to correct all of them, which overfits
/// to the tokens of the refit. The second term, over all calibration text, penalises deviations
/// from the dense branch. The first term is over fewer tokens. The dense moments over these tokens
/// differ from the dense moments over all text. A share γ of this difference is corrected.
///
/// If `passes` is above 0, gradient descent then starts from this fit. It fits all weights of a
/// feed-forward block to the same sum, as a function of the block's inputs.
///
/// All plans of a family are refitted layer by layer in one pass of the dense model, of which only
/// one layer at a time is in memory.
struct Refit {
    /// α: the share of the residual stream's error that a branch is fitted to correct.
    static let repairedShare: Float = 0.5

    private(set) var family: [ShrunkWeights]
    private let surgery: Surgery
    private let passes: Int
    /// The format of components for which a plan has none; nil if nothing is rounded.
    private let format: Precision?
    private let batches: [TokenBatch]
    private let engine: Engine
    /// The model without layers.
    private let blank: Model
    /// The dense layer that is being refitted, and a forward pass through this layer only.
    private var layer: (index: Int, weights: LayerWeights)?
    private var whole: ForwardPass
    /// A forward pass through the current shrunk branch.
    private var shrunk: ForwardPass
    /// The residual streams before the next branch: of the dense model, and of each plan.
    private var streams: [Activations]
    private var shrunkStreams: [[Activations]]

    /// A dense branch with its outputs for all batches.
    private struct DenseBranch {
        let component: Component
        let projection: Projection
        let outputs: [Activations]
        let moments: Surgery.DenseMoments
    }

    /// - Precondition: All plans of the family belong to one surgery.
    init(
        _ family: [ShrunkWeights], of surgery: Surgery, on batches: [TokenBatch], passes: Int,
        format: Precision?, engine: Engine
    ) throws {
        self.family = family
        self.surgery = surgery
        self.batches = batches
        self.passes = passes
        self.format = format
        self.engine = engine
        surgery.clearCache()
        blank = try Model(embeddingsOf: surgery.dense)
        whole = ForwardPass(blank, on: engine)
        shrunk = whole
        var pass = whole
        streams = batches.map { pass.embedded($0) }
        shrunkStreams = []
        for member in family {
            guard member.changesEmbeddings else {
                shrunkStreams.append(streams)
                continue
            }
            pass.model = try Model(embeddingsOf: member)
            shrunkStreams.append(batches.map { pass.embedded($0) })
        }
    }

    /// Refits the next branch of every plan and advances all residual streams past it.
    mutating func refit(_ component: Component, check: () throws -> Void) throws {
        if layer?.index != component.layer {
            let weights = try surgery.dense.layer(component.layer)
            layer = (component.layer, weights)
            whole.model = blank.replacing(
                layer: component.layer, with: weights,
                sizes: surgery.dense.shape.layers[component.layer])
        }
        guard let layer = layer?.weights,
            let projection = layer.outputProjection(of: component.kind)
        else {
            // The dense model does not have this branch; its norm may still exist.
            advance(component, adding: nil)
            for member in family.indices { advance(member, component, adding: nil) }
            return
        }
        var sample = SecondMoments()
        var outputs: [Activations] = []
        for index in batches.indices {
            guard
                let inputs = whole.inputs(
                    of: component, in: batches[index], entering: streams[index]),
                let output = whole.output(of: component, from: inputs)
            else { return }
            sample.add(withOnes(inputs, for: projection), on: engine)
            outputs.append(output)
        }
        let branch = DenseBranch(
            component: component, projection: projection, outputs: outputs,
            moments: try surgery.denseMoments(
                of: component, output: projection, sample: (consume sample).mean()))
        for member in family.indices {
            try check()
            var inputs: [Activations]?
            if !family[member].plan[component].isRemoved {
                inputs = try fit(member, to: branch, of: layer, check: check)
                shrunk.model = blank.replacing(
                    layer: component.layer, with: try family[member].branch(component, of: layer),
                    sizes: family[member].shape.layers[component.layer])
            }
            advance(member, component, adding: inputs)
        }
        advance(component, adding: outputs)
    }

    /// Advances the dense residual streams past a branch with these outputs.
    private mutating func advance(_ component: Component, adding outputs: [Activations]?) {
        for index in batches.indices {
            streams[index] = whole.stream(
                after: component, entering: streams[index], adding: outputs?[index])
        }
    }

    /// Advances a plan's residual streams past a branch whose last projection has these inputs.
    private mutating func advance(
        _ member: Int, _ component: Component, adding inputs: [Activations]?
    ) {
        for index in batches.indices {
            shrunkStreams[member][index] = whole.stream(
                after: component, entering: shrunkStreams[member][index],
                adding: inputs.flatMap { shrunk.output(of: component, from: $0[index]) })
        }
    }

    /// Fits a plan's part of a branch, and returns the inputs of its last projection after that.
    private mutating func fit(
        _ member: Int, to branch: DenseBranch, of layer: LayerWeights, check: () throws -> Void
    ) throws -> [Activations] {
        let targets = batches.indices.map { index in
            var target = branch.outputs[index]
            // The streams have the branch's output times its factor.
            // After a norm of the output, the error of the streams is not an error of the
            // projection.
            let shape = surgery.dense.shape
            if !shape.architecture.layer.normPlace.normalisesOutput {
                let share = Self.repairedShare / shape.usedFactors.branches
                target.add(streams[index], times: share)
                target.add(shrunkStreams[member][index], times: -share)
            }
            return target
        }
        let component = branch.component
        let descends = component.kind == .feedForward && passes > 0
        let rounding = rounding(of: component, in: member)
        var layer = layer
        if let rounding, !descends {
            // The rows of these projections are rounded independently, so the units that will be
            // removed have no effect on the others.
            try rounding.roundInputs(
                component, of: &layer, sizes: surgery.dense.shape.layers[component.layer],
                entering: shrunkStreams[member], with: &shrunk, check: check)
        } else {
            shrunk.model = whole.model
        }
        let all = batches.indices.compactMap { index in
            shrunk.inputs(
                of: component, in: batches[index], entering: shrunkStreams[member][index])
        }
        let moments = try choose(member, for: branch, with: all, towards: targets)
        if descends {
            try descend(member, branch, of: layer, towards: targets, check: check)
            if let rounding {
                return try round(member, component, of: layer, with: rounding, check: check)
            }
            shrunk.model = blank.replacing(
                layer: component.layer, with: try family[member].branch(component, of: layer),
                sizes: family[member].shape.layers[component.layer])
            return batches.indices.compactMap { index in
                shrunk.inputs(
                    of: component, in: batches[index], entering: shrunkStreams[member][index])
            }
        }
        // The other projections do not change any more, so the inputs of kept units are known.
        let columns = (family[member].kept[component] ?? []).rows(
            of: surgery.dense.shape.unitSize(of: component))
        if let rounding {
            var part = try family[member].branch(component, of: layer)
            try rounding.roundOutput(
                component, of: &part,
                moments: moments.selecting(rows: columns).selecting(columns: columns))
            family[member].keep(CodedBranch(part, component.kind), of: component)
        }
        return all.map { engine.selecting(columns: columns, of: $0) }
    }

    /// The rounding of a plan's part of a branch; nil if it is not rounded with ``GPTQ``.
    private func rounding(of component: Component, in member: Int) -> BranchRounding? {
        guard let format,
            let grid = WeightGrid(roundingTo: family[member].plan[component].format ?? format)
        else { return nil }
        return BranchRounding(
            grid: grid, batches: batches, damping: surgery.damping, blank: blank, engine: engine)
    }

    /// Rounds a plan's part of a branch, and returns the inputs of its last projection after that.
    private mutating func round(
        _ member: Int, _ component: Component, of layer: LayerWeights,
        with rounding: BranchRounding, check: () throws -> Void
    ) throws -> [Activations] {
        var branch = try family[member].branch(component, of: layer)
        let inputs = try rounding.round(
            component, of: &branch, sizes: family[member].shape.layers[component.layer],
            entering: shrunkStreams[member], with: &shrunk, check: check)
        family[member].keep(CodedBranch(branch, component.kind), of: component)
        return inputs ?? []
    }

    /// Chooses units and fits the last projection to the inputs of all units.
    ///
    /// - Returns: The second moments of these inputs.
    private mutating func choose(
        _ member: Int, for branch: DenseBranch, with inputs: [Activations],
        towards targets: [Activations]
    ) throws -> Matrix<Double> {
        let component = branch.component
        var moments = SecondMoments()
        for index in batches.indices {
            let target = targets[index]
            moments.add(
                engine.joined([target, withOnes(inputs[index], for: branch.projection)]),
                from: target.columns, on: engine)
        }
        let (all, outputs) = ((consume moments).mean(), branch.projection.weight.rows)
        let fit = try surgery.refit(
            component, of: branch.projection, to: family[member].plan[component].units,
            moments: all, dense: branch.moments)
        family[member].kept[component] = fit.units
        family[member].refitted[component] = fit.projection
        let columns = Array(outputs..<outputs + branch.projection.weight.columns)
        return all.selecting(rows: columns).selecting(columns: columns)
    }

    /// Returns the inputs of a projection, with a last column of ones if it has a bias.
    private func withOnes(_ inputs: Activations, for projection: Projection) -> Activations {
        guard projection.bias != nil else { return inputs }
        return engine.joined([
            inputs, Activations(rows: inputs.rows, columns: 1, repeating: 1),
        ])
    }

    /// Fits all weights of a feed-forward block.
    private mutating func descend(
        _ member: Int, _ branch: DenseBranch, of layer: LayerWeights,
        towards targets: [Activations], check: () throws -> Void
    ) throws {
        let component = branch.component
        guard let block = try family[member].branch(component, of: layer).feedForward
        else { return }
        // A share β of the dense model's examples is used, so that all examples have equal weight.
        var (inputs, expected) = (Activations(), Activations())
        for index in batches.indices {
            inputs.append(whole.entry(of: component, entering: shrunkStreams[member][index]))
            expected.append(targets[index])
            let outputs = branch.outputs[index]
            let rows = stride(from: 0, to: outputs.rows, by: Int(1 / Surgery.denseShare))
            var some = Activations()
            engine.select(
                whole.entry(of: component, entering: streams[index]), rows: Array(rows),
                into: &some)
            inputs.append(some)
            engine.select(outputs, rows: Array(rows), into: &some)
            expected.append(some)
        }
        family[member].fitted[component.layer] = try block.fitted(
            to: Examples(inputs: inputs, targets: expected),
            function: surgery.dense.shape.architecture.layer.epilogue, passes: passes,
            seed: UInt64(component.layer), engine: engine, check: check)
    }
}

extension [ShrunkWeights] {
    /// Returns the same plans with units and weights refitted to the dense model's residual stream.
    ///
    /// - Parameters:
    ///   - batches: Calibration sequences. Their residual streams stay in memory for each plan and
    ///     for the dense model.
    ///   - passes: The number of passes over the tokens in the gradient descent of a feed-forward
    ///     block; 0 for no descent.
    ///   - format: The format of components for which a plan has none. Components in 4 bits are
    ///     rounded with ``GPTQ``; nil if no component is rounded.
    ///   - engine: The engine to compute on.
    ///   - progress: Called repeatedly with the number of finished components; may throw an error to stop.
    /// - Returns: The refitted weights.
    /// - Throws: `SurgeonError`, a read error, or what `progress` throws.
    /// - Complexity: A forward pass of the dense model. In addition, for each plan: a forward pass;
    ///   for each component the second moments of its inputs and outputs; and for each of the
    ///   `passes` 7/3 of the work of the feed-forward blocks.
    public func refitted(
        on batches: [TokenBatch], passes: Int = 0, format: Precision? = nil, engine: Engine,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> [ShrunkWeights] {
        guard let surgery = first?.surgery else { return self }
        precondition(allSatisfy { $0.surgery === surgery }, "the plans belong to several surgeries")
        var refit = try Refit(
            self, of: surgery, on: batches, passes: passes, format: format, engine: engine)
        var done = 0
        for component in Plan(keepingAllOf: surgery.dense.shape).components {
            try refit.refit(component) { try progress(done) }
            done += surgery.dense.shape.units(of: component) > 0 ? 1 : 0
            try progress(done)
        }
        return refit.family
    }
}
