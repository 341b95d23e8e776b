public import Tensors

/// Compares last hidden states with those of a decoder through its output head.
///
/// Only words that the decoder takes to be among the likeliest next ones somewhere are asked for: the
/// others, most of a vocabulary, tell little and take most of the time.
public struct HeadComparison {
    /// The rows of the head for those words.
    private let head: PackedWeights
    private let engine: Engine
    /// The decoder's logits of those words, `rowsAtOnce` rows of them each, kept because they are
    /// asked for again and again.
    private let wanted: [Activations]

    private static let rowsAtOnce = 128

    /// How many words of each token count, and do for all tokens.
    private static let likeliest = 16

    /// Computes the logits of a decoder's last hidden states.
    ///
    /// - Parameters:
    ///   - model: The decoder.
    ///   - hidden: Its last hidden states after the final norm, `[tokens, hidden]`.
    ///   - engine: What to compute on.
    public init(_ model: Model, of hidden: Activations, on engine: Engine) {
        guard let whole = model.head else { preconditionFailure("an encoder has no logits") }
        var words: Set<Int32> = []
        Self.visit(hidden, through: whole, on: engine) { logits in
            for row in 0..<logits.rows {
                words.formUnion(logits.row(row).greatest(Self.likeliest).map(Int32.init))
            }
        }
        var rows = Activations(rows: words.count, columns: whole.inputs, repeating: 0)
        engine.gather(whole, rows: words.sorted(), into: &rows)
        let head = PackedWeights(rows.matrix, in: Arena())
        var wanted: [Activations] = []
        Self.visit(hidden, through: head, on: engine) { wanted.append($0) }
        (self.head, self.wanted, self.engine) = (head, wanted, engine)
    }

    /// The sum over rows of the divergence of the next-token distribution among the words, in nats:
    /// `Σ KL(softmax(wanted) ‖ softmax(logits))`.
    ///
    /// - Parameter hidden: Last hidden states of another model after the final norm.
    /// - Returns: The sum.
    public func divergence(of hidden: Activations) -> Double {
        precondition(hidden.rows == wanted.reduce(0) { $0 + $1.rows }, "rows to compare")
        var (total, place) = (0.0, 0)
        Self.visit(hidden, through: head, on: engine) { logits in
            total += engine.divergence(of: logits, from: wanted[place]).reduce(0, +)
            place += 1
        }
        return total
    }

    /// Hands over logits a few rows at a time.
    private static func visit(
        _ hidden: Activations, through head: PackedWeights, on engine: Engine,
        _ body: (Activations) -> Void
    ) {
        var (part, logits) = (Activations(), Activations())
        for first in stride(from: 0, to: hidden.rows, by: rowsAtOnce) {
            engine.select(
                hidden, rows: first..<min(first + rowsAtOnce, hidden.rows), into: &part)
            logits.reshape(rows: part.rows, columns: head.outputs)
            engine.linear(part, head, into: &logits)
            body(logits)
        }
    }
}

extension ArraySlice<Float> {
    /// The places of the greatest values, counted from the first, in no order.
    fileprivate func greatest(_ count: Int) -> [Int] {
        var places: [Int] = []
        var least = -Float.infinity
        for place in indices where places.count < count || self[place] > least {
            places.append(place)
            // Sorting out now and then is cheaper than keeping order.
            guard places.count >= 2 * count else { continue }
            places.sort { self[$0] > self[$1] }
            places.removeLast(places.count - count)
            least = self[places[count - 1]]
        }
        return places.sorted { self[$0] > self[$1] }.prefix(count).map { $0 - startIndex }
    }
}
