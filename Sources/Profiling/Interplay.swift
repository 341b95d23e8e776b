/// The relation between the time of a whole model and the sum of the times of its parts.
///
/// The parts of a model share the caches. In a smaller model, a larger share of the weights is
/// still in a cache in the next run. So the time of a whole model is not the sum of its parts. The
/// relation is piecewise linear between knots, which are measured models: from the model without
/// any component to the dense model.
public struct Interplay: Hashable, Sendable {
    /// One whole model.
    public struct Knot: Codable, Hashable, Sendable {
        /// The sum of the seconds of its parts.
        public let sum: Double
        /// The seconds of the model.
        public let seconds: Double

        /// Creates a knot.
        public init(sum: Double, seconds: Double) {
            self.sum = sum
            self.seconds = seconds
        }
    }

    /// The knots, with ascending sums and seconds.
    ///
    /// Without knots, the time of a model is the sum of its parts.
    public let knots: [Knot]

    /// Creates an interplay without checking the knots; ``LatencyTable/check()`` checks them.
    init(unchecked knots: [Knot]) {
        self.knots = knots
    }

    /// Creates an interplay from knots in any order.
    ///
    /// Knots are sorted by sum. A knot is kept only if its sum and its seconds are greater than
    /// those of all knots before it.
    public init(knots: [Knot] = []) {
        var rising: [Knot] = []
        for knot in knots.sorted(by: { ($0.sum, $0.seconds) < ($1.sum, $1.seconds) }) {
            if let last = rising.last, knot.sum <= last.sum || knot.seconds <= last.seconds {
                continue
            }
            rising.append(knot)
        }
        self.knots = rising
    }

    /// Returns the seconds of a whole model whose parts have this sum.
    public func seconds(ofSum sum: Double) -> Double {
        Self.interpolate(sum, knots.map { ($0.sum, $0.seconds) })
    }

    /// Returns the sum of the parts of a whole model with these seconds.
    public func sum(ofSeconds seconds: Double) -> Double {
        Self.interpolate(seconds, knots.map { ($0.seconds, $0.sum) })
    }

    /// The piecewise linear function through points of ascending x.
    ///
    /// Outside the range of the points it is proportional to x.
    private static func interpolate(_ x: Double, _ points: [(x: Double, y: Double)]) -> Double {
        guard let first = points.first, let last = points.last else { return x }
        if x <= first.x { return x / first.x * first.y }
        guard let index = points.firstIndex(where: { $0.x >= x }) else {
            return x / last.x * last.y
        }
        let (left, right) = (points[index - 1], points[index])
        return left.y + (x - left.x) / (right.x - left.x) * (right.y - left.y)
    }
}

extension Interplay: Codable {
    /// Reads the knots in the stored order.
    public init(from decoder: any Decoder) throws {
        self.init(unchecked: try [Knot](from: decoder))
    }

    /// Writes the knots as one array.
    public func encode(to encoder: any Encoder) throws {
        try knots.encode(to: encoder)
    }
}
