public import Transformers

/// The method that chooses a plan and corrects the kept weights.
public enum PruningMethod: String, Codable, Sendable, CaseIterable {
    /// Optimal Brain Surgeon; a greedy search over units and formats by measured sensitivity and
    /// measured latency.
    case greedy
    /// The same search over units alone.
    case units
    /// The same search over formats alone, which removes nothing.
    case formats
    /// Optimal Brain Surgeon; ZipLM's search, which finds factors of the priors by the real loss.
    case spdy
    /// Removes the units whose outputs vary least. A bias replaces their mean outputs. A greedy
    /// search by the priors. Source: An et al., "FLAP", arXiv 2312.11983.
    case flap
    /// Removes the units with the smallest weights and corrects nothing. A greedy search by the
    /// priors.
    case magnitude
    /// Optimal Brain Surgeon; every component keeps the same fraction.
    case uniform
    /// Removes whole layers, the layers with the lowest block influence first.
    case depth
    /// Removes whole layers, the layers whose removal changes the predictions least first. Source:
    /// Muralidharan et al., "Minitron", arXiv 2407.14679.
    case minitronDepth = "minitron-depth"
    /// Removes the channels of the residual stream, the heads and the neurons with the smallest
    /// mean activations, the same share in all layers, and corrects nothing. Source: the same.
    case minitronWidth = "minitron-width"
    /// Removes random units of random components and corrects nothing.
    case random

    /// The ranking of units.
    public func order(seed: UInt64) -> Surgery.Order {
        switch self {
        case .greedy, .units, .formats, .spdy, .uniform, .depth, .minitronDepth:
            .optimalBrainSurgeon
        case .flap: .fluctuation
        case .magnitude: .magnitude
        case .minitronWidth: .activation
        case .random: .random(seed: seed)
        }
    }

    /// Finds a plan within a budget of seconds.
    ///
    /// - Parameters:
    ///   - budget: The maximum seconds of the whole model.
    ///   - space: The plans to choose from.
    ///   - calibrationResults: The results of calibration.
    ///   - seed: Decides all random choices.
    /// - Returns: The plan.
    /// - Throws: ``SearchError`` if no plan is as fast.
    public func plan(
        within budget: Double, in space: SearchSpace, using calibrationResults: CalibrationResults,
        seed: UInt64
    ) throws(SearchError) -> Plan {
        let space = limited(space)
        switch self {
        case .greedy, .units, .formats, .flap, .magnitude:
            return space.plan(
                try removal(in: space, using: calibrationResults).choice(within: budget))
        case .spdy:
            let search = SPDYSearch(space.problem(priors: calibrationResults.losses))
            return space.plan(
                try search.choice(within: budget, weighing: calibrationResults.coefficients))
        case .uniform: return try space.uniformPlan(within: budget)
        case .depth:
            return try space.depthPlan(
                within: budget, importance: calibrationResults.blockInfluence)
        case .minitronDepth:
            return try space.depthPlan(
                within: budget, importance: calibrationResults.layerDivergence)
        case .minitronWidth:
            return try space.widthPlan(
                within: budget, step: calibrationResults.channelStep,
                headsThatDivide: calibrationResults.headsThatDivide)
        case .random: return try space.randomPlan(within: budget, seed: seed)
        }
    }

    /// The predicted seconds and losses after each step of the greedy search; nil for other
    /// searches.
    public func path(
        in space: SearchSpace, using calibrationResults: CalibrationResults
    ) -> [(seconds: Double, loss: Double)]? {
        switch self {
        case .greedy, .units, .formats, .flap, .magnitude:
            removal(in: limited(space), using: calibrationResults).path()
        case .spdy, .uniform, .depth, .minitronDepth, .minitronWidth, .random: nil
        }
    }

    /// Draws random plans with their predicted losses; none for other methods than those of
    /// ``isSensitive``.
    ///
    /// - Parameters:
    ///   - count: The number of plans.
    ///   - space: The plans to choose from.
    ///   - calibrationResults: The results of calibration.
    ///   - seed: Equal seeds give equal plans.
    /// - Returns: The plans, whose losses are at most ``LossCheck/maximumLoss``.
    public func randomPlans(
        _ count: Int, in space: SearchSpace, using calibrationResults: CalibrationResults,
        seed: UInt64
    ) -> [(plan: Plan, loss: Double)] {
        guard isSensitive else { return [] }
        let space = limited(space)
        return problem(in: space, using: calibrationResults)
            .randomChoices(count, losing: LossCheck.maximumLoss, seed: seed)
            .map { (space.plan($0.choice), $0.loss) }
    }

    /// Whether the method searches with measured sensitivities.
    public var isSensitive: Bool { [.greedy, .units, .formats].contains(self) }

    /// Whether the method needs measured sensitivities.
    public var needsSensitivity: Bool { isSensitive || self == .minitronDepth }

    /// Whether the method's plans can have other formats than the environment's.
    public var usesFormats: Bool { self == .greedy || self == .formats }

    /// The plans that the method can choose.
    private func limited(_ space: SearchSpace) -> SearchSpace {
        switch self {
        case .greedy: space
        case .formats: space.limited(to: .formats)
        default: space.limited(to: .units)
        }
    }

    /// The greedy search, by measured sensitivity or by the priors.
    private func removal(in space: SearchSpace, using calibrationResults: CalibrationResults)
        -> GreedySearch
    {
        GreedySearch(problem(in: space, using: calibrationResults))
    }

    /// The problem with the losses that the method adds up.
    private func problem(
        in space: SearchSpace, using calibrationResults: CalibrationResults
    ) -> SearchProblem {
        let (losses, sensitivity) = (calibrationResults.losses, calibrationResults.sensitivity)
        guard isSensitive else { return space.problem(priors: losses) }
        let damage = calibrationResults.formatDamage
        return space.problem(
            loss: { component, variant in
                let prior = losses.prior(of: component, keeping: variant.units)
                return sensitivity.divergence(of: component, prior: prior)
                    + damage.divergence(
                        of: component, as: variant, units: space.dense[component].units)
            }, headLoss: { damage.divergence(ofHeadIn: $0) },
            layerLoss: { sensitivity.layers[$0] })
    }

    /// The results of calibrating a model.
    public struct CalibrationResults: Sendable {
        /// The removal order and the errors of every component.
        public var losses: LossTable
        /// The block influence of every layer.
        public var blockInfluence: [Double]
        /// The measured sensitivity of each component; empty for methods that do not use it.
        public var sensitivity: Sensitivity
        /// The measured divergence of each component in each format; empty without formats.
        public var formatDamage: FormatDamage
        /// For SPDY: the factor of the priors of each component of the search space.
        public var coefficients: [Double] = []
        /// The hidden size that a plan keeps is a multiple of this.
        public var channelStep: Int
        /// The heads of one unit of attention, if the number of kept heads must divide the hidden
        /// size; nil if it need not.
        public var headsThatDivide: Int?

        /// The divergence from the dense model if one layer is removed, for each layer.
        ///
        /// For a layer that was not measured it is the sum over its two branches.
        fileprivate var layerDivergence: [Double] {
            blockInfluence.indices.map { layer in
                sensitivity.layers[layer]
                    ?? ComponentKind.allCases.reduce(0) { sum, kind in
                        let component = Component(layer: layer, kind: kind)
                        return losses.components[component] == nil
                            ? sum : sum + sensitivity.divergence(of: component, prior: 1)
                    }
            }
        }

        /// Creates it from its parts.
        public init(
            losses: LossTable, blockInfluence: [Double],
            sensitivity: Sensitivity = Sensitivity([:]),
            formatDamage: FormatDamage = FormatDamage(), channelStep: Int = 1,
            headsThatDivide: Int? = nil
        ) {
            self.losses = losses
            self.blockInfluence = blockInfluence
            self.sensitivity = sensitivity
            self.formatDamage = formatDamage
            self.channelStep = channelStep
            self.headsThatDivide = headsThatDivide
        }
    }
}
