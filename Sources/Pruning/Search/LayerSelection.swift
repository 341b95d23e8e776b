internal import Tensors
public import Transformers

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Selects the layers to keep when a model trained with LayerDrop is made shallower.
///
/// Source: Fan, Grave and Joulin, "Reducing transformer depth on demand with structured dropout",
/// arXiv 1909.11556, section 3.2.
public enum LayerSelection {
    /// Returns layers at equal distances, including the last layer.
    ///
    /// If half of the layers are kept, this is every other layer.
    ///
    /// - Parameters:
    ///   - count: The number of layers to keep.
    ///   - layers: The number of layers, at least `count`.
    /// - Returns: The indices of the kept layers, ascending.
    public static func everyOther(_ count: Int, of layers: Int) -> [Int] {
        (0..<count).map { ($0 + 1) * layers / count - 1 }
    }

    /// Removes layers one by one, each time the layer whose removal leads to the lowest loss.
    ///
    /// - Parameters:
    ///   - count: The number of layers to keep.
    ///   - model: The model.
    ///   - loss: The loss of a model on validation data.
    ///   - progress: Called with the number of losses computed; may throw an error to stop.
    /// - Returns: The indices of the kept layers, ascending.
    /// - Throws: The errors of `loss` and `progress`.
    /// - Complexity: O(layers²) losses.
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
            // If no loss is a number below infinity, remove the last layer.
            kept.remove(at: best?.place ?? kept.count - 1)
        }
        return kept
    }

    /// The number of losses that ``search(_:of:loss:progress:)`` computes.
    public static func trials(_ count: Int, of layers: Int) -> Int {
        count < layers ? (count + 1...layers).reduce(0, +) : 0
    }

    /// Learns a score for each layer from trials, and returns the best layers found.
    ///
    /// Each trial draws layers without replacement, in proportion to the exponentials of their
    /// scores (the greatest scores after adding Gumbel noise). The draws of a generation are ranked
    /// by loss. A layer's score rises if the draws that kept it rank above the others. Only ranks
    /// count, not the size of losses. The paper learns its scores while the model is trained; here
    /// the trained model stays as it is.
    ///
    /// - Parameters:
    ///   - count: The number of layers to keep.
    ///   - model: The model.
    ///   - draws: The number of models to try.
    ///   - seed: Decides the draws.
    ///   - loss: The loss of a model on validation data.
    ///   - progress: Called with the number of models tried; may throw an error to stop.
    /// - Returns: The indices of the kept layers, ascending.
    /// - Throws: The errors of `loss` and `progress`.
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
                let kept = top(count, of: noisy)
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
            ?? top(count, of: scores)
    }

    /// Returns the indices of the greatest values, ascending.
    private static func top(_ count: Int, of values: [Double]) -> [Int] {
        values.indices.sorted { values[$0] > values[$1] }.prefix(count).sorted()
    }
}
