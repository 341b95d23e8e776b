internal import Tensors

/// A computation with the result NaN, an infinity, or a number outside the range of its type.
public struct NonFiniteError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The result that is wrong, such as "the logits of window 3".
    public let place: String
    /// The problem with it.
    public let problem: String
    /// The remedy for the user.
    public let remedy: String

    /// Creates an error.
    public init(
        _ place: String, problem: String = "hold NaN or infinity",
        remedy: String = "check that the files of the model are not damaged, or use "
            + "--precision f32"
    ) {
        self.place = place
        self.problem = problem
        self.remedy = remedy
    }

    /// The place, the problem and the remedy on one line.
    public var description: String { "\(place) \(problem); \(remedy)" }

    /// Throws an error if any value is NaN or infinite.
    public static func check(
        _ values: some Collection<Float>, _ place: @autoclosure () -> String
    ) throws(NonFiniteError) {
        if firstOutside(values) != nil { throw NonFiniteError(place()) }
    }

    /// Throws an error if the value is NaN or infinite.
    public static func check(
        _ value: Double, _ place: @autoclosure () -> String
    ) throws(NonFiniteError) {
        if !value.isFinite { throw NonFiniteError(place()) }
    }
}

extension Precision {
    /// Throws an error if a weight is outside the range of this precision.
    func check(_ weight: Matrix<Float>?, _ place: String) throws(NonFiniteError) {
        guard let weight, let maximumWeight,
            let found = firstOutside(weight.elements, limit: maximumWeight)
        else { return }
        throw NonFiniteError(
            place, problem: "has \(found.value), but \(rawValue) ends at ±\(maximumWeight)",
            remedy: "use another --precision, such as f32")
    }
}

extension Formats.Layer {
    /// Throws an error if a weight of a layer is outside the range of its format.
    func check(_ layer: LayerWeights, index: Int) throws(NonFiniteError) {
        let parts = [
            (attention, "query", layer.attention?.query), (attention, "key", layer.attention?.key),
            (attention, "value", layer.attention?.value),
            (attention, "attention output", layer.attention?.output),
            (feedForward, "gate", layer.feedForward?.gate),
            (feedForward, "up", layer.feedForward?.up),
            (feedForward, "down", layer.feedForward?.down),
        ]
        for (format, name, part) in parts {
            try format.check(part?.weight, "the \(name) projection of layer \(index)")
        }
    }
}
