internal import Tensors
public import Transformers

extension TokenBatch {
    /// The next token of every token in its sequence; -1 for the last token of a sequence.
    public var nextTokens: [Int32] {
        sequences.flatMap { rows in ids[rows].dropFirst() + [-1] }
    }

    /// The number of tokens that are not the first token of their sequence.
    public var predictions: Int { ids.count - sequences.count { !$0.isEmpty } }
}

extension TrainingPass {
    /// The number of rows whose logits are in memory at the same time.
    static let rowsAtOnce = 256

    /// Computes the negative log-likelihood of target tokens under a decoder.
    ///
    /// Its gradients, multiplied by `factor`, are added to the model's gradients.
    ///
    /// - Parameters:
    ///   - model: The decoder.
    ///   - batch: The sequences.
    ///   - targets: The target token of each token, by default the next token. A negative target is
    ///     ignored.
    ///   - factor: The factor of gradients, such as one divided by the number of targets.
    ///   - skipped: The layers that are skipped in this step.
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
            let slopes = cap(&logits, of: model)
            loss += engine.differentiateCrossEntropy(
                &logits, targets: Array(targets[rows]), factor: factor)
            if let slopes { engine.multiply(&logits, by: slopes) }
            model.output?.gather(logits, inputs: part, on: engine)
            model.output?.gradientByInputs(logits, into: &gradient, firstRow: first, on: engine)
        }
        backward(&model, gradient)
        return loss
    }

    /// Applies the model's soft cap to logits.
    ///
    /// - Returns: The derivatives; nil if the model has no cap.
    func cap(_ logits: inout Activations, of model: TrainableModel) -> Activations? {
        guard let cap = model.shape.factors?.logitCap else { return nil }
        var slopes = Activations()
        engine.cap(&logits, at: cap, slopes: &slopes)
        return slopes
    }
}
