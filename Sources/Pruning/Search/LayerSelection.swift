public import Transformers

/// Which layers of a model trained with LayerDrop are kept at a smaller depth.
///
/// Source: Fan, Grave and Joulin, "Reducing transformer depth on demand with structured dropout",
/// arXiv 1909.11556, section 3.2.
public enum LayerSelection {
    /// Layers at equal distances, the last one among them: of twice as many every other.
    ///
    /// - Parameters:
    ///   - count: How many to keep.
    ///   - layers: How many there are, at least as many.
    /// - Returns: Their indices, ascending.
    public static func everyOther(_ count: Int, of layers: Int) -> [Int] {
        (0..<count).map { ($0 + 1) * layers / count - 1 }
    }

    /// Layers left when again and again the one goes without which the loss is least.
    ///
    /// - Parameters:
    ///   - count: How many to keep.
    ///   - model: The model.
    ///   - loss: Of a model on validation data.
    ///   - progress: Called with the number of losses asked for; may throw to stop.
    /// - Returns: Their indices, ascending.
    /// - Throws: What `loss` and `progress` throw.
    /// - Complexity: As many losses as half the square of the layers.
    public static func search(
        _ count: Int, of model: Model, loss: (Model) throws -> Double,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> [Int] {
        var kept = Array(model.shape.layers.indices)
        var asked = 0
        while kept.count > count {
            var best: (loss: Double, place: Int)?
            for place in kept.indices {
                var others = kept
                others.remove(at: place)
                let found = try loss(model.keeping(layers: others))
                if found < best?.loss ?? .infinity { best = (found, place) }
                asked += 1
                try progress(asked)
            }
            // Where every loss is infinite or no number, the last layer is as good as any.
            kept.remove(at: best?.place ?? kept.count - 1)
        }
        return kept
    }

    /// The losses that ``search(_:of:loss:progress:)`` asks for.
    public static func trials(_ count: Int, of layers: Int) -> Int {
        count < layers ? (count + 1...layers).reduce(0, +) : 0
    }
}
