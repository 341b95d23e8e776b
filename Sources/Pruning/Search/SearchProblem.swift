/// The choice of one option for each component within a budget of seconds.
///
/// A search returns a *choice*: for each component the index of one of its options. Seconds and
/// losses are sums over components. The problem has no information on the meaning of its options;
/// its creator stores that.
public struct SearchProblem: Sendable {
    /// An option for a component.
    public struct Option: Hashable, Sendable {
        /// The seconds that the component adds to the base.
        public let seconds: Double
        /// The loss of quality; 0 for the dense option.
        public let loss: Double

        /// Creates an option.
        public init(seconds: Double, loss: Double) {
            (self.seconds, self.loss) = (seconds, loss)
        }
    }

    /// Two components whose last options together have a loss of their own.
    public struct Pair: Sendable {
        /// The indices of the components, ascending.
        public let first, second: Int
        /// The loss if both have their last option; it replaces the sum of their two losses.
        public let loss: Double

        /// Creates a pair.
        public init(first: Int, second: Int, loss: Double) {
            (self.first, self.second, self.loss) = (first, second, loss)
        }
    }

    /// Seconds that no option changes.
    public let base: Double
    /// The options of each component, in order of preference.
    ///
    /// The dense option is first, and each option is faster than the previous ones.
    public let options: [[Option]]
    /// The pairs of components whose losses do not add up; a component is in at most one.
    public let pairs: [Pair]

    /// Creates a problem.
    ///
    /// - Parameters:
    ///   - base: Seconds that no option changes.
    ///   - options: For each component at least one option, without the options that
    ///     ``undominated(_:seconds:)`` removes.
    ///   - pairs: The pairs of components whose losses do not add up.
    public init(base: Double, options: [[Option]], pairs: [Pair] = []) {
        (self.base, self.options, self.pairs) = (base, options, pairs)
    }

    /// The candidates that are faster than all candidates before them; the others are dominated.
    ///
    /// - Parameters:
    ///   - candidates: The options for a component, in order of preference.
    ///   - seconds: The seconds of a candidate.
    /// - Returns: The first candidate, and every later one that is faster than all before it.
    public static func undominated<Candidate>(
        _ candidates: [Candidate], seconds: (Candidate) -> Double
    ) -> [Candidate] {
        var kept: [Candidate] = []
        var fastest = 0.0
        for candidate in candidates {
            let time = seconds(candidate)
            guard kept.isEmpty || time < fastest else { continue }
            kept.append(candidate)
            fastest = time
        }
        return kept
    }

    /// The choice of the dense option for every component.
    public var dense: [Int] { [Int](repeating: 0, count: options.count) }

    /// The choice of the last option for every component, which is the fastest.
    public var fastest: [Int] { options.map { $0.count - 1 } }

    /// The seconds of a choice.
    public func seconds(of choice: [Int]) -> Double {
        choice.indices.reduce(base) { $0 + options[$1][choice[$1]].seconds }
    }

    /// Refuses a budget that no choice meets.
    ///
    /// - Parameter budget: Seconds, including the base.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``.
    func check(_ budget: Double) throws(SearchError) {
        let (dense, fastest) = (seconds(of: dense), seconds(of: fastest))
        guard fastest <= budget else {
            throw .unreachable(target: dense / budget, maximum: dense / fastest)
        }
    }
}
