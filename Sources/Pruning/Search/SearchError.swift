/// A search that cannot reach its target.
public enum SearchError: Error, Equatable, CustomStringConvertible {
    /// No plan is as fast as the target; both are speedups over the dense model.
    case unreachable(target: Double, maximum: Double)

    /// The problem with the values found, and a remedy.
    public var description: String {
        switch self {
        case .unreachable(let target, let maximum):
            "a speedup of \((target * 1000).rounded() / 1000) is beyond what pruning can reach here, "
                + "\((maximum * 100).rounded(.down) / 100); ask for less"
        }
    }
}
