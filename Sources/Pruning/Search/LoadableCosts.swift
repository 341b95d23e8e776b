public import Transformers

/// The costs of the plans that another runtime loads as they are.
public struct LoadableCosts: CostModel {
    /// What the finished model is for.
    public enum Runtime: String, Sendable, CaseIterable {
        /// Anything that loads layers of any sizes: Espalier, transformers, ONNX.
        case any
        /// llama.cpp: attention in the first layer, a feed-forward block in every layer, of widths
        /// whose rows are whole blocks of quantised weights.
        case gguf
    }

    /// llama.cpp's blocks.
    private static let block = 32

    private let costs: any CostModel
    private let runtime: Runtime

    /// Narrows costs to what a runtime loads.
    public init(_ costs: some CostModel, for runtime: Runtime) {
        self.costs = costs
        self.runtime = runtime
    }

    /// Seconds that no plan changes.
    public var base: Double { costs.base }

    /// The channels of the residual stream that all seconds are for.
    public var hiddenSize: Int { costs.hiddenSize }

    /// The predicted seconds of a component that keeps some units.
    public func seconds(of component: Component, keeping level: Int) -> Double {
        costs.seconds(of: component, keeping: level)
    }

    /// The levels that the runtime loads.
    public func levels(of component: Component) -> [Int] {
        let levels = costs.levels(of: component)
        guard runtime == .gguf else { return levels }
        switch component.kind {
        case .attention: return component.layer == 0 ? levels.filter { $0 > 0 } : levels
        case .feedForward:
            let whole = levels.map { $0 / Self.block * Self.block }.filter { $0 > 0 }
            return Set(whole + [Self.block]).sorted(by: >)
        }
    }
}
