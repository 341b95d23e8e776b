public import Transformers

/// The predicted run time of plans in one environment.
public protocol CostModel: Sendable {
    /// Seconds that no plan changes: embeddings, norms, output head.
    var base: Double { get }

    /// The width of the residual stream for which all seconds are given.
    var hiddenSize: Int { get }

    /// Returns the seconds of a variant of a component.
    func seconds(of component: Component, as variant: Variant) -> Double

    /// The variants to consider for a component; those with equal units in order of preference.
    func variants(of component: Component) -> [Variant]
}
