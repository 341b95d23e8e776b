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
        remedy: String = "the model's numbers overflow: the checkpoint may be damaged, or use "
            + "--precision f32"
    ) {
        self.place = place
        self.problem = problem
        self.remedy = remedy
    }

    /// The place, the problem and the remedy on one line.
    public var description: String { "\(place) \(problem); \(remedy)" }

    /// Refuses values if any of them is NaN or infinite.
    public static func check(
        _ values: some Collection<Float>, _ place: @autoclosure () -> String
    ) throws(NonFiniteError) {
        if firstOutside(values) != nil { throw NonFiniteError(place()) }
    }

    /// Refuses a value that is NaN or infinite.
    public static func check(
        _ value: Double, _ place: @autoclosure () -> String
    ) throws(NonFiniteError) {
        if !value.isFinite { throw NonFiniteError(place()) }
    }
}

extension Precision {
    /// Refuses weights that are outside the range of this precision.
    func check(_ weight: Matrix<Float>?, _ place: String) throws(NonFiniteError) {
        guard let weight, let maximumWeight,
            let found = firstOutside(weight.elements, limit: maximumWeight)
        else { return }
        throw NonFiniteError(
            place, problem: "holds \(found.value), beyond ±\(maximumWeight) of \(rawValue)",
            remedy: "use another --precision, such as f32")
    }

    /// Refuses a layer with weights that are outside the range of this precision.
    func check(_ layer: LayerWeights, index: Int) throws(NonFiniteError) {
        guard maximumWeight != nil else { return }
        let parts = [
            ("query", layer.attention?.query), ("key", layer.attention?.key),
            ("value", layer.attention?.value), ("attention output", layer.attention?.output),
            ("gate", layer.feedForward?.gate), ("up", layer.feedForward?.up),
            ("down", layer.feedForward?.down),
        ]
        for (name, part) in parts {
            try check(part?.weight, "the \(name) projection of layer \(index)")
        }
    }
}
