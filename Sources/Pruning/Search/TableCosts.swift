public import Profiling
public import Transformers

/// The costs that a profile has measured.
public struct TableCosts: CostModel {
    private let table: LatencyTable

    /// Uses a profile's latencies.
    public init(_ table: LatencyTable) {
        self.table = table
    }

    /// Seconds that no plan changes.
    public var base: Double { table.base.seconds }

    /// The channels of the profiled model's residual stream.
    public var hiddenSize: Int { table.shape.hiddenSize }

    /// The predicted seconds of a component that keeps some units.
    public func seconds(of component: Component, keeping level: Int) -> Double {
        table.seconds(of: component.kind, keeping: level)
    }

    /// The measured levels that no larger one matches.
    public func levels(of component: Component) -> [Int] {
        table.usefulLevels(of: component.kind)
    }
}
