internal import Tensors
public import Transformers

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

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

    /// Layers that a policy learns to keep: those of the greatest scores, which are learnt by
    /// trying.
    ///
    /// Layers are drawn without replacement in proportion to the exponentials of their scores (the
    /// greatest of scores with Gumbel noise). Each score then rises by how much better than others
    /// the draws were that kept the layer, in the order of their losses, which makes the size of
    /// losses irrelevant. Half of the paper's idea: it learns its rates while the model is trained.
    ///
    /// - Parameters:
    ///   - count: How many to keep.
    ///   - model: The model.
    ///   - draws: How many models are tried.
    ///   - seed: Decides the draws.
    ///   - loss: Of a model on validation data.
    ///   - progress: Called with the number of losses asked for; may throw to stop.
    /// - Returns: Their indices, ascending.
    /// - Throws: What `loss` and `progress` throw.
    public static func learned(
        _ count: Int, of model: Model, draws: Int, seed: UInt64, loss: (Model) throws -> Double,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> [Int] {
        let layers = model.shape.layers.indices
        guard count < layers.count else { return Array(layers) }
        var random = SplitMix64(seed: seed)
        var scores = [Double](repeating: 0, count: layers.count)
        var known: [[Int]: Double] = [:]
        let generation = 8
        for first in stride(from: 0, to: draws, by: generation) {
            var tried: [(kept: [Int], loss: Double)] = []
            for index in first..<min(first + generation, draws) {
                let noisy = scores.map {
                    $0 - log(-log(Double.random(in: 1e-12..<1, using: &random)))
                }
                let kept = greatest(count, of: noisy)
                let found = try known[kept] ?? loss(model.keeping(layers: kept))
                known[kept] = found
                tried.append((kept, found))
                try progress(index + 1)
            }
            tried.sort { $0.loss < $1.loss }
            for (rank, draw) in tried.enumerated() {
                let merit = 1 - 2 * Double(rank) / Double(max(1, tried.count - 1))
                for layer in layers {
                    let share = Double(count) / Double(layers.count)
                    scores[layer] += 0.3 * merit * ((draw.kept.contains(layer) ? 1 : 0) - share)
                }
            }
        }
        return known.min { ($0.value, $0.key[0]) < ($1.value, $1.key[0]) }?.key
            ?? greatest(count, of: scores)
    }

    /// The places of the greatest values, ascending.
    private static func greatest(_ count: Int, of values: [Double]) -> [Int] {
        values.indices.sorted { values[$0] > values[$1] }.prefix(count).sorted()
    }
}
