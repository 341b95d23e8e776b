internal import Tensors
internal import Transformers

/// What leaving out parts of one attention block comes to, over text, for each share that is to count:
/// small inputs of its projections, told by value, or query heads, told by a trained predictor.
public struct AttentionCalibration: Sendable {
    private let entering: Part
    private let leaving: Part
    private var heads: [NeuronChoice: Heads] = [:]

    /// The inputs of one projection.
    private struct Part {
        let norms: [Float]
        let levels: [Double: NeuronCalibration.Level]
        /// The weights that all inputs together read.
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

    /// What tells heads, and what shares of them come to.
    private struct Heads {
        let method: ContextualPlan.Predictor.Method
        let levels: [Double: NeuronCalibration.Level]
        /// The share of the block's weights that all heads together may save.
        let weights: Double
    }

    /// Finds thresholds, and trains predictors.
    ///
    /// - Parameters:
    ///   - block: The attention block.
    ///   - headDimension: The columns of a head.
    ///   - inputs: What enters it, `[tokens, hidden]`.
    ///   - earlier: What enters that of the layer before; nil for the first.
    ///   - context: What its heads give, `[tokens, heads' columns]`.
    ///   - choices: The ways to tell what counts; those by weights do not serve here.
    ///   - densities: The shares of inputs, or of heads, that are to count.
    ///   - engine: What to run on.
    ///   - check: Called now and then; may throw to stop.
    /// - Throws: What `check` throws.
    init(
        of block: AttentionWeights, headDimension: Int, inputs: Activations,
        earlier: Activations?, context: Activations, choices: [NeuronChoice],
        densities: [Double], engine: Engine, check: () throws -> Void
    ) throws {
        let tokens = Tokens(count: inputs.rows)
        let fused = Matrix(stacking: [block.query.weight, block.key.weight, block.value.weight])
        let told = choices.contains(.computed) ? densities : []
        entering = Part(fused, engine.selecting(rows: tokens.sample, of: inputs), densities: told)
        leaving = Part(
            block.output.weight, engine.selecting(rows: tokens.sample, of: context),
            densities: told)
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

    /// What a share comes to; nil where it was not asked for, or is all.
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

    /// The part of a plan that lets a share count; nil where that is all, or was not asked for.
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
