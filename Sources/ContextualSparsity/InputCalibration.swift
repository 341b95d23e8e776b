internal import Tensors
internal import Transformers

/// What leaving out inputs of one attention block's projections comes to, over text, for each share
/// that is to count: of those of queries, keys and values, and of those of the output projection.
public struct InputCalibration: Sendable {
    private let entering: Part
    private let leaving: Part

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

    /// Finds thresholds.
    ///
    /// - Parameters:
    ///   - block: The attention block.
    ///   - inputs: What enters it, `[tokens, hidden]`.
    ///   - context: What its heads give, `[tokens, heads' columns]`.
    ///   - densities: The shares of inputs that are to count.
    ///   - engine: What to run on.
    init(
        of block: AttentionWeights, inputs: Activations, context: Activations,
        densities: [Double], engine: Engine
    ) {
        let few = Array(
            Swift.stride(from: 0, to: inputs.rows, by: NeuronCalibration.stride))
        let fused = Matrix(stacking: [block.query.weight, block.key.weight, block.value.weight])
        entering = Part(fused, engine.selecting(rows: few, of: inputs), densities: densities)
        leaving = Part(
            block.output.weight, engine.selecting(rows: few, of: context), densities: densities)
    }

    /// What a share comes to; nil where it was not asked for, or is all.
    func totals(density: Double) -> NeuronCalibration.Totals? {
        guard let (first, last) = levels(density) else { return nil }
        let (a, b) = (first.total, last.total)
        let share = entering.weights / (entering.weights + leaving.weights)
        return NeuronCalibration.Totals(
            computed: share * a.volume + (1 - share) * b.volume, lost: a.lost + b.lost,
            volume: share * a.volume + (1 - share) * b.volume)
    }

    /// The part of a plan that lets a share of inputs count; nil where that is all, or was not asked
    /// for.
    func inputs(density: Double) -> ContextualPlan.Inputs? {
        levels(density).map { first, last in
            ContextualPlan.Inputs(
                entering: NeuronCalibration.sizes(
                    contributing: first.contribution, entering.norms),
                leaving: NeuronCalibration.sizes(contributing: last.contribution, leaving.norms))
        }
    }

    private func levels(
        _ density: Double
    ) -> (NeuronCalibration.Level, NeuronCalibration.Level)? {
        guard let first = entering.levels[density], let last = leaving.levels[density],
            first.isPartial, last.isPartial
        else { return nil }
        return (first, last)
    }
}
