/// The time of one kind of component, in seconds, at each number of kept units.
public struct ComponentLatency: Codable, Sendable, Equatable {
    /// The time of one level.
    public struct Point: Codable, Sendable, Equatable {
        /// The units kept.
        public var level: Int
        /// The median time.
        public var seconds: Double
        /// The lower end of the spread.
        public var low: Double
        /// The upper end of the spread.
        public var high: Double
        /// Whether a larger level is at least as fast, so that this level is never chosen.
        public var dominated: Bool

        /// Creates a point.
        public init(level: Int, seconds: Double, low: Double, high: Double, dominated: Bool) {
            self.level = level
            self.seconds = seconds
            self.low = low
            self.high = high
            self.dominated = dominated
        }
    }

    /// The kind of component, such as `attention` or `feedForward`.
    public var kind: String
    /// The levels in ascending order.
    public var points: [Point]

    /// Creates a curve; points are sorted by level.
    public init(kind: String, points: [Point]) {
        self.kind = kind
        self.points = points.sorted { $0.level < $1.level }
    }

    /// The time of one unit if time were proportional to arithmetic: the time of the largest level
    /// divided by the number of its units.
    public var secondsPerUnitOfArithmetic: Double {
        guard let full = points.last, full.level > 0 else { return 0 }
        return full.seconds / Double(full.level)
    }

    /// The name of the component in reports.
    var title: String {
        switch kind {
        case "attention": "Attention"
        case "feedForward": "Feed-forward"
        default: kind
        }
    }

    /// Returns the name of the units of the component in a model.
    ///
    /// If every query head has its own key-value head, the units of attention are called heads.
    func units(in model: ModelDescription) -> String {
        switch kind {
        case "attention":
            model.layers.allSatisfy { $0.queryHeads == $0.keyValueHeads }
                ? "heads" : "key-value groups"
        case "feedForward": "neurons"
        default: "units"
        }
    }
}
