public import Tensors
public import Transformers

/// The costs of plans, limited to plans that another runtime can load.
public struct LoadableCosts: CostModel {
    /// The runtime that will load the finished model.
    public enum Runtime: String, Sendable, CaseIterable {
        /// Runtimes that load layers of any sizes: Espalier, transformers, ONNX.
        case any
        /// llama.cpp: attention in the first layer, a feed-forward block in every layer, widths
        /// that are multiples of the block of quantised weights.
        case gguf
    }

    /// The number of weights of a block in llama.cpp.
    private static let block = 32

    private let costs: any CostModel
    private let runtime: Runtime

    /// Limits costs to what a runtime can load.
    public init(_ costs: some CostModel, for runtime: Runtime) {
        self.costs = costs
        self.runtime = runtime
    }

    /// Seconds that no plan changes.
    public var base: Double { costs.base }

    /// The width of the residual stream for which all seconds are given.
    public var hiddenSize: Int { costs.hiddenSize }

    /// The formats that the output head may have.
    public var headFormats: [Precision] { costs.headFormats }

    /// The seconds that the output head's format adds to the base.
    public func seconds(ofHeadIn format: Precision?) -> Double {
        costs.seconds(ofHeadIn: format)
    }

    /// Returns the predicted seconds of a variant of a component.
    public func seconds(of component: Component, as variant: Variant) -> Double {
        costs.seconds(of: component, as: variant)
    }

    /// Returns the variants that the runtime can load.
    public func variants(of component: Component) -> [Variant] {
        let variants = costs.variants(of: component)
        guard runtime == .gguf else { return variants }
        switch component.kind {
        case .attention: return component.layer == 0 ? variants.filter { !$0.isRemoved } : variants
        case .feedForward:
            let whole = variants.map {
                Variant(units: $0.units / Self.block * Self.block, format: $0.format)
            }
            return (whole.filter { !$0.isRemoved } + [Variant(units: Self.block)])
                .reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        }
    }
}
