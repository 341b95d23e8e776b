public import Transformers

/// The predicted run time of plans in one environment.
public protocol CostModel: Sendable {
    /// Seconds that no plan changes: embeddings, norms, output head.
    var base: Double { get }

    /// The channels of the residual stream that all seconds are for.
    var hiddenSize: Int { get }

    /// The seconds of one component that keeps some of its units.
    func seconds(of component: Component, keeping level: Int) -> Double

    /// The levels worth considering, from the dense one down, without those that are no faster
    /// than a larger one.
    func levels(of component: Component) -> [Int]
}

/// A search that cannot give what was asked for.
public enum SearchError: Error, Equatable, CustomStringConvertible {
    /// No plan is as fast as the target; both are speedups over the dense model.
    case unreachable(target: Double, greatest: Double)

    /// What is wrong, with the values seen, and what to try.
    public var description: String {
        switch self {
        case .unreachable(let target, let greatest):
            "a speedup of \(target) is beyond what pruning can reach here, "
                + "\((greatest * 100).rounded(.down) / 100); ask for less"
        }
    }
}
