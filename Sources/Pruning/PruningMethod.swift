public import Transformers

/// How a plan is chosen, and what happens to the weights that stay.
public enum PruningMethod: String, Codable, Sendable, CaseIterable {
    /// Optimal Brain Surgeon; the search weighs measured damage against measured latency.
    case greedy
    /// Optimal Brain Surgeon; ZipLM's search, which tries weights of the priors by the real loss.
    case spdy
    /// Units whose outputs vary least go first, a bias makes up for their means; a search by the
    /// priors. Source: An et al., "FLAP", arXiv 2312.11983.
    case flap
    /// Units of small weights go first, nothing is corrected; a search by the priors.
    case magnitude
    /// Optimal Brain Surgeon; every component keeps the same fraction.
    case uniform
    /// Whole layers go, those of least block influence first.
    case depth
    /// Whole layers go, those first without which the model foretells least differently. Source:
    /// Muralidharan et al., "Minitron", arXiv 2407.14679.
    case minitronDepth = "minitron-depth"
    /// All layers alike lose the channels of the residual stream, heads and neurons that are
    /// smallest on average; nothing is corrected. Source: the same.
    case minitronWidth = "minitron-width"
    /// Random units of random components go; nothing is corrected.
    case random

    /// How units are ranked.
    public func order(seed: UInt64) -> Surgery.Order {
        switch self {
        case .greedy, .spdy, .uniform, .depth, .minitronDepth: .optimalBrainSurgeon
        case .flap: .fluctuation
        case .magnitude: .magnitude
        case .minitronWidth: .activation
        case .random: .random(seed: seed)
        }
    }

    /// Finds a plan within a budget of seconds.
    ///
    /// - Parameters:
    ///   - budget: Seconds that the whole model may take.
    ///   - space: The plans to choose from.
    ///   - knowledge: What calibration found out.
    ///   - seed: Decides what is random.
    /// - Returns: The plan.
    /// - Throws: ``SearchError`` where no plan is as fast.
    public func plan(
        within budget: Double, in space: SearchSpace, knowing knowledge: Knowledge, seed: UInt64
    ) throws(SearchError) -> Plan {
        switch self {
        case .greedy, .flap, .magnitude:
            return try removal(in: space, knowing: knowledge).plan(within: budget)
        case .spdy:
            let losses = knowledge.losses
            let search = SPDYSearch(space) { losses.prior(of: $0, keeping: $1) }
            return try search.plan(within: budget, weighing: knowledge.coefficients)
        case .uniform: return try space.uniformPlan(within: budget)
        case .depth:
            return try space.depthPlan(within: budget, importance: knowledge.blockInfluence)
        case .minitronDepth:
            return try space.depthPlan(within: budget, importance: knowledge.layerDamage)
        case .minitronWidth:
            return try space.widthPlan(
                within: budget, step: knowledge.channelStep,
                headsThatDivide: knowledge.headsThatDivide)
        case .random: return try space.randomPlan(within: budget, seed: seed)
        }
    }

    /// The predicted seconds and losses of the models that removal step by step goes through; nil
    /// for methods that choose in another way.
    public func path(
        in space: SearchSpace, knowing knowledge: Knowledge
    ) -> [(seconds: Double, loss: Double)]? {
        switch self {
        case .greedy, .flap, .magnitude: removal(in: space, knowing: knowledge).path()
        case .spdy, .uniform, .depth, .minitronDepth, .minitronWidth, .random: nil
        }
    }

    /// Whether what the model minds is measured for it.
    public var needsSensitivity: Bool { self == .greedy || self == .minitronDepth }

    /// The search that removes step by step, by measured damage or by the priors.
    private func removal(in space: SearchSpace, knowing knowledge: Knowledge) -> GreedySearch {
        let (losses, sensitivity) = (knowledge.losses, knowledge.sensitivity)
        guard self == .greedy else {
            return GreedySearch(space, loss: { losses.prior(of: $0, keeping: $1) })
        }
        return GreedySearch(
            space,
            loss: { sensitivity.damage(of: $0, prior: losses.prior(of: $0, keeping: $1)) },
            layerLoss: { sensitivity.layers[$0] })
    }

    /// What calibration found out about a model.
    public struct Knowledge: Sendable {
        /// The removal order and the errors of every component.
        public var losses: LossTable
        /// The block influence of every layer.
        public var blockInfluence: [Double]
        /// The measured sensitivity of each component; empty for methods that do not use it.
        public var sensitivity: Sensitivity
        /// What multiplies the priors of each component of the search space, for SPDY.
        public var coefficients: [Double] = []
        /// What the channels of the residual stream that a plan keeps are a multiple of.
        public var channelStep: Int
        /// How many heads go together, where all that a plan keeps must divide its channels.
        public var headsThatDivide: Int?

        /// The damage that each layer's being gone does; of its branches together where that of the
        /// layer was not measured.
        fileprivate var layerDamage: [Double] {
            blockInfluence.indices.map { layer in
                sensitivity.layers[layer]
                    ?? ComponentKind.allCases.reduce(0) { sum, kind in
                        let component = Component(layer: layer, kind: kind)
                        return losses.components[component] == nil
                            ? sum : sum + sensitivity.damage(of: component, prior: 1)
                    }
            }
        }

        /// Creates it from its parts.
        public init(
            losses: LossTable, blockInfluence: [Double],
            sensitivity: Sensitivity = Sensitivity([:]), channelStep: Int = 1,
            headsThatDivide: Int? = nil
        ) {
            self.losses = losses
            self.blockInfluence = blockInfluence
            self.sensitivity = sensitivity
            self.channelStep = channelStep
            self.headsThatDivide = headsThatDivide
        }
    }
}
