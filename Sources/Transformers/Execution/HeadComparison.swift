public import Tensors

/// Compares last hidden states through a decoder's output head.
public struct HeadComparison {
    private let head: PackedWeights
    private let engine: Engine

    /// Takes the head of a decoder.
    public init(_ model: Model, on engine: Engine) {
        guard let head = model.head else { preconditionFailure("an encoder has no logits") }
        self.head = head
        self.engine = engine
    }

    /// The sum over rows of the divergence of the next-token distribution, in nats.
    ///
    /// - Parameters:
    ///   - hidden: Last hidden states after the final norm, `[tokens, hidden]`.
    ///   - wanted: Those of the model it is compared with.
    /// - Returns: `Σ KL(softmax(wanted) ‖ softmax(hidden))`.
    public func divergence(of hidden: Activations, from wanted: Activations) -> Double {
        precondition(hidden.rows == wanted.rows, "rows to compare")
        var (logits, reference) = (
            Activations(), Activations()
        )
        var part = Activations()
        var total = 0.0
        for first in stride(from: 0, to: hidden.rows, by: 128) {
            let rows = first..<min(first + 128, hidden.rows)
            for (source, isWanted) in [(hidden, false), (wanted, true)] {
                engine.select(source, rows: rows, into: &part)
                if isWanted {
                    reference.reshape(rows: rows.count, columns: head.outputs)
                    engine.linear(part, head, into: &reference)
                } else {
                    logits.reshape(rows: rows.count, columns: head.outputs)
                    engine.linear(part, head, into: &logits)
                }
            }
            total += engine.divergence(of: logits, from: reference).reduce(0, +)
        }
        return total
    }
}
