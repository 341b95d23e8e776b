public import Tensors
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

    /// The formats that the output head may have instead of the format in which `base` was timed.
    var headFormats: [Precision] { get }

    /// The seconds that the output head's format adds to `base`; a faster format adds a negative
    /// number, and nil adds 0.
    func seconds(ofHeadIn format: Precision?) -> Double
}

extension CostModel {
    /// No format, which is the default.
    public var headFormats: [Precision] { [] }

    /// Nothing, which is the default.
    public func seconds(ofHeadIn format: Precision?) -> Double { 0 }
}
