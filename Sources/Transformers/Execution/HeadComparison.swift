public import Tensors

/// Compares last hidden states with those of a decoder through its output head.
public struct HeadComparison {
    private let head: PackedWeights
    private let engine: Engine
    /// The decoder's logits, `rowsAtOnce` rows of them each, kept because they are asked for again
    /// and again: 4 bytes for each token and word of the vocabulary.
    private let wanted: [Activations]

    private static let rowsAtOnce = 128

    /// Computes the logits of a decoder's last hidden states after the final norm, `[tokens,
    /// hidden]`.
    public init(_ model: Model, of hidden: Activations, on engine: Engine) {
        guard let head = model.head else { preconditionFailure("an encoder has no logits") }
        self.head = head
        self.engine = engine
        wanted = stride(from: 0, to: hidden.rows, by: Self.rowsAtOnce).map { first in
            var (part, logits) = (Activations(), Activations())
            engine.select(
                hidden, rows: first..<min(first + Self.rowsAtOnce, hidden.rows), into: &part)
            logits.reshape(rows: part.rows, columns: head.outputs)
            engine.linear(part, head, into: &logits)
            return logits
        }
    }

    /// The sum over rows of the divergence of the next-token distribution, in nats:
    /// `Σ KL(softmax(wanted) ‖ softmax(logits))`.
    ///
    /// - Parameter hidden: Last hidden states of another model after the final norm.
    /// - Returns: The sum.
    public func divergence(of hidden: Activations) -> Double {
        precondition(hidden.rows == wanted.reduce(0) { $0 + $1.rows }, "rows to compare")
        var (part, logits) = (Activations(), Activations())
        var (total, first) = (0.0, 0)
        for wanted in wanted {
            engine.select(hidden, rows: first..<first + wanted.rows, into: &part)
            logits.reshape(rows: part.rows, columns: head.outputs)
            engine.linear(part, head, into: &logits)
            total += engine.divergence(of: logits, from: wanted).reduce(0, +)
            first += wanted.rows
        }
        return total
    }
}
