internal import Tensors
internal import Training
internal import Transformers

/// The split of the calibration's tokens into tokens for thresholds and tokens for training
/// predictors.
struct Tokens {
    /// The tokens for thresholds: every eighth.
    let sample: [Int]
    /// The tokens for training; with at most eight tokens, the same as `sample`.
    private let rest: [Int]

    init(count: Int) {
        let stride = 8
        sample = Array(Swift.stride(from: 0, to: count, by: stride))
        rest = count > stride ? (0..<count).filter { $0 % stride != 0 } : sample
    }

    /// Trains a predictor.
    ///
    /// - Parameters:
    ///   - inputs: The inputs of the predictor, `[tokens, hidden]`.
    ///   - values: The values of units, `[tokens, units]`.
    ///   - thresholds: A threshold for each unit. The unit is needed if its absolute value exceeds the
    ///     threshold.
    ///   - rank: The rank of the predictor.
    ///   - engine: The engine to run on.
    ///   - check: Called repeatedly; may throw an error to stop.
    /// - Returns: The predictor.
    /// - Throws: The errors of `check`.
    func fitted(
        to inputs: Activations, _ values: Activations, above thresholds: [Float], rank: Int,
        engine: Engine, check: () throws -> Void
    ) throws -> ContextualPlan.Predictor.Method {
        let found = try LowRankPredictor(
            fittedTo: engine.selecting(rows: rest, of: inputs),
            values: engine.selecting(rows: rest, of: values), above: thresholds, rank: rank,
            passes: 30,
            seed: 1, engine: engine, check: check)
        return .lowRank(down: found.down, up: found.up)
    }
}

extension [Double: Float] {
    /// The median of the thresholds of several densities.
    ///
    /// One threshold is sufficient for training a predictor, because only the ranks of its scores
    /// matter.
    var middle: Float { values.sorted()[count / 2] }
}
