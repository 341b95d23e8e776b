public import Tensors

/// Compares the next-token distributions from last hidden states with a decoder's distributions.
///
/// Only a part of the vocabulary is compared: the tokens that are among the decoder's most likely
/// next tokens at one position or more. The other tokens, which are most of a vocabulary, add little
/// information and most of the cost.
public struct HeadComparison {
    /// The compared tokens, ascending.
    private let words: [Int32]
    /// The rows of the output head for the compared tokens.
    private let head: PackedWeights
    private let engine: Engine
    /// The soft cap of logits; nil if there is none.
    private let cap: Float?
    /// The decoder's logits of the compared tokens, in parts of `rowsAtOnce` rows.
    ///
    /// They are kept because every comparison needs them.
    private let reference: [Activations]

    private static let rowsAtOnce = 128

    /// The number of tokens that each position adds to the compared tokens: its most likely next
    /// tokens.
    private static let mostLikelyCount = 16

    /// Computes the logits of a decoder's last hidden states.
    ///
    /// - Parameters:
    ///   - model: The decoder.
    ///   - hidden: Its last hidden states after the final norm, `[tokens, hidden]`.
    ///   - engine: The engine on which to compute.
    public init(_ model: Model, of hidden: Activations, on engine: Engine) {
        guard let whole = model.head else { preconditionFailure("an encoder has no logits") }
        var words: Set<Int32> = []
        let cap = model.shape.factors?.logitCap
        Self.visit(hidden, through: whole, cap: cap, on: engine) { logits in
            for row in 0..<logits.rows {
                words.formUnion(logits.row(row).top(Self.mostLikelyCount).map(Int32.init))
            }
        }
        let head = Self.rows(words.sorted(), of: whole, on: engine)
        var reference: [Activations] = []
        Self.visit(hidden, through: head, cap: cap, on: engine) { reference.append($0) }
        self.words = words.sorted()
        (self.head, self.reference, self.engine, self.cap) = (head, reference, engine, cap)
    }

    /// The rows of an output head for some tokens, in f32.
    private static func rows(
        _ words: [Int32], of whole: PackedWeights, on engine: Engine
    ) -> PackedWeights {
        var rows = Activations(rows: words.count, columns: whole.inputs, repeating: 0)
        engine.gather(whole, rows: words, into: &rows)
        return PackedWeights(rows.matrix, in: Arena())
    }

    /// The divergence from the decoder's next-token distributions, summed over rows, in nats.
    ///
    /// It is `Σ KL(softmax(reference) ‖ softmax(logits))` over the compared tokens.
    ///
    /// - Parameters:
    ///   - hidden: The last hidden states of another model after the final norm.
    ///   - model: The model with the output head for these states; nil for the decoder's head.
    /// - Returns: The sum.
    public func divergence(of hidden: Activations, headOf model: Model? = nil) -> Double {
        precondition(hidden.rows == reference.reduce(0) { $0 + $1.rows }, "rows to compare")
        let head = model?.head.map { Self.rows(words, of: $0, on: engine) } ?? head
        var (total, place) = (0.0, 0)
        Self.visit(hidden, through: head, cap: cap, on: engine) { logits in
            total += engine.divergence(of: logits, from: reference[place]).reduce(0, +)
            place += 1
        }
        return total
    }

    /// Passes logits to a closure, some rows at a time.
    private static func visit(
        _ hidden: Activations, through head: PackedWeights, cap: Float?, on engine: Engine,
        _ body: (Activations) -> Void
    ) {
        var (part, logits) = (Activations(), Activations())
        for first in stride(from: 0, to: hidden.rows, by: rowsAtOnce) {
            engine.select(
                hidden, rows: first..<min(first + rowsAtOnce, hidden.rows), into: &part)
            logits.reshape(rows: part.rows, columns: head.outputs)
            engine.linear(part, head, into: &logits)
            if let cap { engine.cap(&logits, at: cap) }
            body(logits)
        }
    }
}

extension ArraySlice<Float> {
    /// The indices of the greatest values, relative to the start of the slice, in falling order of
    /// value.
    fileprivate func top(_ count: Int) -> [Int] {
        var places: [Int] = []
        var threshold = -Float.infinity
        for place in indices where places.count < count || self[place] > threshold {
            places.append(place)
            // Sorting occasionally is cheaper than keeping the candidates sorted.
            guard places.count >= 2 * count else { continue }
            places.sort { self[$0] > self[$1] }
            places.removeLast(places.count - count)
            threshold = self[places[count - 1]]
        }
        return places.sorted { self[$0] > self[$1] }.prefix(count).map { $0 - startIndex }
    }
}
