internal import Tensors
internal import Transformers

/// The ways to make a component faster that a search may use.
public enum Lever: Sendable {
    /// Removing units; all that is kept has the environment's format.
    case units
    /// Formats; every component keeps all its units.
    case formats
}

extension SearchSpace {
    /// The plans of this space that use only one lever.
    public func limited(to lever: Lever) -> SearchSpace {
        SearchSpace(dense: dense, costs: LeverCosts(costs: costs, dense: dense, lever: lever))
    }
}

/// The costs of the plans that use only one lever.
private struct LeverCosts: CostModel {
    let costs: any CostModel
    let dense: Plan
    let lever: Lever

    var base: Double { costs.base }
    var hiddenSize: Int { costs.hiddenSize }
    var headFormats: [Precision] { lever == .formats ? costs.headFormats : [] }

    func seconds(ofHeadIn format: Precision?) -> Double { costs.seconds(ofHeadIn: format) }

    func seconds(of component: Component, as variant: Variant) -> Double {
        costs.seconds(of: component, as: variant)
    }

    func variants(of component: Component) -> [Variant] {
        costs.variants(of: component).filter { variant in
            switch lever {
            case .units: variant.format == nil
            case .formats: variant.units == dense[component].units
            }
        }
    }
}
