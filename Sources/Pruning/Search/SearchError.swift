/// A search that cannot reach its target.
public enum SearchError: Error, Equatable, CustomStringConvertible {
    /// No plan reaches the target. Both values are speedups over the dense model.
    case unreachable(target: Double, maximum: Double)

    /// The problem with the values found, and a remedy.
    public var description: String {
        switch self {
        case .unreachable(let target, let maximum):
            "a speedup of \((target * 1000).rounded() / 1000) cannot be reached: the maximum is "
                + "\((maximum * 100).rounded(.down) / 100); choose a lower speedup"
        }
    }
}
