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

    /// The width of the profiled model's residual stream.
    public var hiddenSize: Int { table.shape.hiddenSize }

    /// Returns the predicted seconds of a variant of a component.
    public func seconds(of component: Component, as variant: Variant) -> Double {
        table.seconds(of: component.kind, as: variant)
    }

    /// Returns the measured variants that are faster than every larger variant.
    public func variants(of component: Component) -> [Variant] {
        table.usefulVariants(of: component.kind)
    }
}
