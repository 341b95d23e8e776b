/// How long whole models take whose parts, each timed on its own, add up to some seconds.
///
/// Parts share caches: the fewer weights there are, the more of them the next run finds near the
/// processor, so that a whole is not the sum of its parts. Knots of whole models, from that without
/// any component to the dense one, give the one for the other; between them it is linear.
public struct Interplay: Hashable, Sendable {
    /// One whole model.
    public struct Knot: Codable, Hashable, Sendable {
        /// The seconds of its parts together.
        public let sum: Double
        /// The seconds that it takes.
        public let seconds: Double

        /// Creates a knot.
        public init(sum: Double, seconds: Double) {
            self.sum = sum
            self.seconds = seconds
        }
    }

    /// The knots, both figures ascending; with none, wholes take what their parts do.
    public let knots: [Knot]

    /// Takes knots as they are, for ``LatencyTable/check()`` to judge.
    init(unchecked knots: [Knot]) {
        self.knots = knots
    }

    /// Creates an interplay; of knots in any order those count that rise above all before.
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

    /// The seconds of a whole model whose parts add up to some seconds.
    public func seconds(ofSum sum: Double) -> Double {
        Self.interpolate(sum, knots.map { ($0.sum, $0.seconds) })
    }

    /// What the parts of a model add up to where the whole takes some seconds.
    public func sum(ofSeconds seconds: Double) -> Double {
        Self.interpolate(seconds, knots.map { ($0.seconds, $0.sum) })
    }

    /// The piecewise linear function through points of ascending x, in proportion beyond them.
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
    /// Reads the knots in the order they have.
    public init(from decoder: any Decoder) throws {
        self.init(unchecked: try [Knot](from: decoder))
    }

    /// Writes the knots as one array.
    public func encode(to encoder: any Encoder) throws {
        try knots.encode(to: encoder)
    }
}
