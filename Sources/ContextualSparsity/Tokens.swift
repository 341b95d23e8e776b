internal import Tensors
internal import Training
internal import Transformers

/// Which of the calibration's tokens find thresholds, and which train predictors.
struct Tokens {
    /// Every eighth finds thresholds.
    let sample: [Int]
    private let rest: [Int]

    init(count: Int) {
        let stride = 8
        sample = Array(Swift.stride(from: 0, to: count, by: stride))
        rest = count > stride ? (0..<count).filter { $0 % stride != 0 } : sample
    }

    /// A predictor that is trained on the rest.
    ///
    /// - Parameters:
    ///   - inputs: What it scores by, `[tokens, hidden]`.
    ///   - values: Of units, `[tokens, units]`.
    ///   - least: For each unit the size that its value must be above to be needed.
    ///   - rank: The rank of the product.
    ///   - engine: What to run on.
    ///   - check: Called now and then; may throw to stop.
    /// - Returns: The predictor.
    /// - Throws: What `check` throws.
    func fitted(
        to inputs: Activations, _ values: Activations, above least: [Float], rank: Int,
        engine: Engine, check: () throws -> Void
    ) throws -> ContextualPlan.Predictor.Method {
        let found = try LowRankPredictor(
            fittedTo: engine.selecting(rows: rest, of: inputs),
            values: engine.selecting(rows: rest, of: values), above: least, rank: rank, passes: 30,
            seed: 1, engine: engine, check: check)
        return .lowRank(down: found.down, up: found.up)
    }
}

extension [Double: Float] {
    /// Of the limits for some shares one in the middle: predictors only rank units.
    var middle: Float { values.sorted()[count / 2] }
}
