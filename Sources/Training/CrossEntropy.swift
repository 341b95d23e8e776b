internal import Tensors
public import Transformers

extension TokenBatch {
    /// For every token the one that follows in its sequence, -1 behind the last.
    public var nextTokens: [Int32] {
        sequences.flatMap { rows in ids[rows].dropFirst() + [-1] }
    }

    /// How many tokens have one before them.
    public var predictions: Int { ids.count - sequences.count { !$0.isEmpty } }
}

extension TrainingPass {
    /// The rows whose logits are in memory at once.
    static let rowsAtOnce = 256

    /// The negative log-likelihood of target tokens under a decoder; gathers the gradients of
    /// `factor` times it.
    ///
    /// - Parameters:
    ///   - model: The decoder.
    ///   - batch: The sequences.
    ///   - targets: What each token is to foretell, by default the next one; negative for nothing.
    ///   - factor: What gradients are multiplied with, such as one over the number of targets.
    ///   - skipped: Layers that are left out this time.
    /// - Returns: The sum over all targets, in nats.
    public mutating func crossEntropy(
        _ model: inout TrainableModel, _ batch: TokenBatch, targets: [Int32]? = nil,
        factor: Float, skipping skipped: Set<Int> = []
    ) -> Double {
        let targets = targets ?? batch.nextTokens
        let hidden = forward(model, batch, skipping: skipped)
        var gradient = Activations(rows: hidden.rows, columns: hidden.columns, repeating: 0)
        var loss = 0.0
        var (part, logits) = (Activations(), Activations())
        for first in stride(from: 0, to: hidden.rows, by: Self.rowsAtOnce) {
            let rows = first..<min(first + Self.rowsAtOnce, hidden.rows)
            engine.select(hidden, rows: rows, into: &part)
            model.output?.apply(to: part, into: &logits, on: engine)
            loss += engine.differentiateCrossEntropy(
                &logits, targets: Array(targets[rows]), factor: factor)
            model.output?.gather(logits, inputs: part, on: engine)
            model.output?.gradientByInputs(logits, into: &gradient, firstRow: first, on: engine)
        }
        backward(&model, gradient)
        return loss
    }
}
