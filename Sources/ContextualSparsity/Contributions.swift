internal import Tensors

/// The contribution of each neuron or input for each token of a sample.
struct Contributions {
    private let values: Activations
    /// The number of weight rows of one neuron: 3 with a gate, otherwise 2.
    private let parts: Int

    init(_ values: Activations, _ norms: [Float], parts: Int) {
        self.parts = parts
        var values = values
        values.scale(columns: norms)
        values.dropSigns()
        self.values = values
    }

    /// Returns for each density the threshold that this share of all contributions exceeds.
    ///
    /// Contributions of all tokens and all neurons are ranked together.
    func limits(densities: [Double]) -> [Double: Float] {
        values.matrix.elements.limits(densities: densities)
    }

    /// Measures the level that computes all neurons and adds those with a contribution above
    /// `limit`.
    func level(above limit: Float) -> NeuronCalibration.Level {
        level(above: limit, scores: nil, score: -.infinity)
    }

    /// Measures the level of each density that computes the neurons with the highest scores.
    ///
    /// A neuron that is not computed saves all rows of its weights. A neuron that is computed but
    /// not added saves only the last row, so its loss must be smaller by a factor of the number of
    /// rows. Let c be the contributions of neurons whose scores are near the threshold. A neuron is
    /// added if its contribution exceeds `√(E[c²] / rows)`.
    ///
    /// - Parameters:
    ///   - limits: The densities and their thresholds, from ``limits(densities:)``.
    ///   - scores: The predicted scores, `[tokens, neurons]`.
    ///   - addsAll: Whether every computed neuron is added.
    /// - Returns: The levels.
    func levels(
        _ limits: [Double: Float], scores: Activations, addsAll: Bool = false
    ) -> [Double: NeuronCalibration.Level] {
        let count = values.rows * values.columns
        // The step must not divide the number of columns, or some columns would never be sampled.
        let step =
            (max(1, count / Self.enough)...).first { $0 == 1 || values.columns % $0 != 0 } ?? 1
        let ranked = Swift.stride(from: 0, to: count, by: step).map { place in
            let (row, column) = place.quotientAndRemainder(dividingBy: values.columns)
            return (score: scores[row, column], value: Double(values[row, column]))
        }.sorted { $0.score > $1.score }
        return Dictionary(
            uniqueKeysWithValues: limits.map { density, limit in
                let place = Int((density * Double(ranked.count)).rounded())
                guard place < ranked.count, limit >= 0 else { return (density, level(above: -1)) }
                let some = ranked.count / 50
                let near = ranked[max(0, place - some)..<min(ranked.count, place + some + 1)]
                let square = near.reduce(0) { $0 + $1.value * $1.value } / Double(near.count)
                return (
                    density,
                    level(
                        above: addsAll ? 0 : Float((square / Double(parts)).squareRoot()),
                        scores: scores,
                        score: (ranked[place].score + ranked[max(0, place - 1)].score) / 2)
                )
            })
    }

    /// The number of contributions that are sampled for ranking.
    private static let enough = 200_000

    private func level(
        above limit: Float, scores: Activations?, score: Float
    ) -> NeuronCalibration.Level {
        var neurons = [NeuronCalibration.Level.Neuron](repeating: .init(), count: values.columns)
        var total = 0.0
        for row in 0..<values.rows {
            for column in 0..<values.columns {
                let value = values[row, column]
                total += Double(value) * Double(value)
                let isComputed = scores.map { $0[row, column] > score } ?? true
                let isAdded = isComputed && value > limit
                neurons[column].computed += isComputed ? 1 : 0
                neurons[column].added += isAdded ? 1 : 0
                neurons[column].lost += isAdded ? 0 : value * value
            }
        }
        let (share, part) = (1 / Float(max(1, values.rows)), total > 0 ? Float(1 / total) : 0)
        for column in neurons.indices {
            neurons[column].computed *= share
            neurons[column].added *= share
            neurons[column].lost *= part
        }
        return NeuronCalibration.Level(
            contribution: limit, score: score, neurons: neurons, parts: parts)
    }
}

extension [Float] {
    /// Returns for each share the threshold that this share of the values exceeds; -1 for a share
    /// of 1.
    func limits(densities: [Double]) -> [Double: Float] {
        let sorted = sorted(by: >)
        let found = densities.map { density -> Float in
            let place = Int((density * Double(sorted.count)).rounded())
            guard place < sorted.count else { return -1 }
            // Halfway between two values, so that rounding does not change which values exceed it.
            return (sorted[place] + sorted[Swift.max(0, place - 1)]) / 2
        }
        return Dictionary(zip(densities, found)) { first, _ in first }
    }
}
