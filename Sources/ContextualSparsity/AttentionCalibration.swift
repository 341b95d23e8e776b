internal import Tensors
internal import Transformers

/// The effect of computing only a part of one attention block for each token, measured on text.
///
/// There are two methods. One leaves out the inputs of the block's projections that have small
/// values. The other leaves out the query heads with low scores from a trained predictor. Each is
/// measured at several densities. The density is the share of inputs or heads that is kept.
public struct AttentionCalibration: Sendable {
    private let entering: Part
    private let leaving: Part
    private var heads: [NeuronChoice: Heads] = [:]

    /// The inputs of one projection.
    private struct Part {
        let norms: [Float]
        let levels: [Double: NeuronCalibration.Level]
        /// The number of weights of the projection.
        let weights: Double

        init(_ weight: Matrix<Float>, _ values: Activations, densities: [Double]) {
            norms = UnitScores.columnNorms(weight)
            let contributions = Contributions(values, norms, parts: 1)
            levels = contributions.limits(densities: densities).mapValues {
                contributions.level(above: $0)
            }
            weights = Double(weight.elements.count)
        }
    }

    /// A predictor of the heads that a token needs, and its effect at each density.
    private struct Heads {
        let method: ContextualPlan.Predictor.Method
        let levels: [Double: NeuronCalibration.Level]
        /// The share of the block's weights that is not read if no head is computed.
        let weights: Double
    }

    /// Finds thresholds and trains predictors.
    ///
    /// - Parameters:
    ///   - block: The attention block.
    ///   - headDimension: The number of columns of a head.
    ///   - inputs: The inputs of the block, `[tokens, hidden]`.
    ///   - earlier: The inputs of the attention block in the previous layer; nil for the first
    ///     layer.
    ///   - context: The outputs of the heads, `[tokens, heads · headDimension]`.
    ///   - choices: The methods to calibrate. Methods that use the block's own weights as predictor
    ///     are skipped, because they apply only to feed-forward blocks.
    ///   - densities: The densities to calibrate.
    ///   - engine: The engine to run on.
    ///   - check: Called repeatedly; may throw an error to stop.
    /// - Throws: The errors of `check`.
    init(
        of block: AttentionWeights, headDimension: Int, inputs: Activations,
        earlier: Activations?, context: Activations, choices: [NeuronChoice],
        densities: [Double], engine: Engine, check: () throws -> Void
    ) throws {
        let tokens = Tokens(count: inputs.rows)
        let fused = Matrix(stacking: [block.query.weight, block.key.weight, block.value.weight])
        let byValue = choices.contains(.computed) ? densities : []
        entering = Part(
            fused, engine.selecting(rows: tokens.sample, of: inputs), densities: byValue)
        leaving = Part(
            block.output.weight, engine.selecting(rows: tokens.sample, of: context),
            densities: byValue)
        let sizes = UnitScores.headSizes(
            context, norms: leaving.norms, headDimension: headDimension)
        let ones = [Float](repeating: 1, count: sizes.columns)
        let contributions = Contributions(
            engine.selecting(rows: tokens.sample, of: sizes), ones, parts: 1)
        let limits = contributions.limits(densities: densities)
        let optional = block.query.weight.elements.count + block.output.weight.elements.count
        let all = fused.elements.count + block.output.weight.elements.count
        for choice in choices {
            guard let rank = choice.rank,
                let source = choice.looksAhead ? earlier : inputs
            else { continue }
            let method = try tokens.fitted(
                to: source, sizes, above: ones.map { _ in limits.middle }, rank: rank,
                engine: engine, check: check)
            guard case .lowRank(let down, let up) = method else { continue }
            var scores = Activations()
            engine.predict(
                engine.selecting(rows: tokens.sample, of: source),
                NeuronPredictor(down: down, up: up, above: ones), into: &scores)
            heads[choice] = Heads(
                method: method, levels: contributions.levels(limits, scores: scores, addsAll: true),
                weights: Double(optional) / Double(all))
        }
    }

    /// Returns the effect of a density; nil if the density was not calibrated or nothing is left
    /// out.
    func totals(_ choice: NeuronChoice, density: Double) -> NeuronCalibration.Totals? {
        guard choice == .computed else {
            return headLevel(choice, density).map { heads, level in
                var totals = level.total
                totals.volume = 1 - heads.weights * (1 - totals.computed)
                return totals
            }
        }
        guard let (first, last) = inputLevels(density) else { return nil }
        let (a, b) = (first.total, last.total)
        let share = entering.weights / (entering.weights + leaving.weights)
        let volume = share * a.volume + (1 - share) * b.volume
        return NeuronCalibration.Totals(computed: volume, lost: a.lost + b.lost, volume: volume)
    }

    /// Returns the thresholds or the predictor of a density; nil if the density was not calibrated
    /// or nothing is left out.
    func counted(_ choice: NeuronChoice, density: Double) -> ContextualPlan.Attention? {
        guard choice == .computed else {
            return headLevel(choice, density).map { heads, level in
                .heads(
                    ContextualPlan.Predictor(
                        heads.method, above: level.neurons.map { _ in level.score },
                        looksAhead: choice.looksAhead))
            }
        }
        return inputLevels(density).map { first, last in
            .inputs(
                entering: NeuronCalibration.sizes(
                    contributing: first.contribution, entering.norms),
                leaving: NeuronCalibration.sizes(contributing: last.contribution, leaving.norms))
        }
    }

    private func headLevel(
        _ choice: NeuronChoice, _ density: Double
    ) -> (Heads, NeuronCalibration.Level)? {
        guard let heads = heads[choice], let level = heads.levels[density], level.isPartial
        else { return nil }
        return (heads, level)
    }

    private func inputLevels(
        _ density: Double
    ) -> (NeuronCalibration.Level, NeuronCalibration.Level)? {
        guard let first = entering.levels[density], let last = leaving.levels[density],
            first.isPartial, last.isPartial
        else { return nil }
        return (first, last)
    }
}
