internal import Evaluation
public import Tensors
public import Transformers

/// How much of a decoder's heads and neurons each token needs: perplexity by density, for units chosen
/// by what they really contribute, by a threshold on that, and at random.
///
/// No predictor chooses better than by the real contributions, so a model that loses much there has
/// no contextual sparsity to use.
public struct SparsityStudy: Codable, Sendable, Equatable {
    /// One way to leave units out.
    public struct Trial: Codable, Sendable, Equatable {
        /// Of which components.
        public let kind: ComponentKind
        /// Which units took part.
        public let choice: UnitFilter.Choice
        /// The share that was to take part.
        public let density: Double
        /// The share that did.
        public let measuredDensity: Double
        /// Of what followed.
        public let perplexity: Double
    }

    /// What a component needs.
    public struct Need: Codable, Sendable, Equatable {
        /// The component.
        public let component: Component
        /// The mean shares of units that do each of ``ScoreStatistics/shares`` of a token's squared
        /// contributions.
        public let shares: [Double]
    }

    /// The perplexity of the whole model.
    public let densePerplexity: Double
    /// The trials, kinds and choices in turn, densities falling.
    public let trials: [Trial]
    /// What each component needs, in the order of the forward pass.
    public let needs: [Need]

    /// The densities that are tried.
    public static let densities = [0.75, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05]

    /// Studies a decoder.
    ///
    /// - Parameters:
    ///   - model: The decoder, packed.
    ///   - scores: What its units contribute.
    ///   - calibration: Windows to find thresholds and needs on, at least one.
    ///   - windows: Other windows to try on, at least one.
    ///   - engine: What to run on.
    ///   - progress: Called with the trials done, the dense one first; may throw to stop.
    /// - Throws: What `progress` throws.
    public init(
        of model: Model, scores: UnitScores, calibration: [[Int32]], windows: [[Int32]],
        engine: Engine, progress: (Int) throws -> Void = { _ in }
    ) throws {
        let statistics = ScoreStatistics(scores)
        var pass = ForwardPass(model, on: engine)
        pass.observer = statistics
        for window in calibration { _ = pass.hiddenStates(of: TokenBatch([window])) }
        needs = model.shape.components.compactMap { component in
            statistics.needs(of: component).map { Need(component: component, shares: $0) }
        }
        densePerplexity = try DecoderQuality(of: model, on: windows, engine: engine).perplexity
        try progress(1)
        let thresholds = statistics.thresholds(densities: Self.densities)
        var trials: [Trial] = []
        for kind in ComponentKind.allCases {
            for choice in UnitFilter.Choice.allCases {
                for density in Self.densities {
                    let filter = UnitFilter(
                        scores, of: kind, density: density, choice: choice,
                        thresholds: thresholds[density] ?? [:])
                    let quality = try DecoderQuality(
                        of: model, on: windows, through: filter, engine: engine)
                    trials.append(
                        Trial(
                            kind: kind, choice: choice, density: density,
                            measuredDensity: filter.measuredDensity,
                            perplexity: quality.perplexity))
                    try progress(1 + trials.count)
                }
            }
        }
        self.trials = trials
    }

    /// How many trials a study makes, the dense one included.
    public static var trialCount: Int {
        1 + ComponentKind.allCases.count * UnitFilter.Choice.allCases.count * densities.count
    }

    /// The least share of units, of those tried, that is enough for a perplexity.
    ///
    /// - Parameters:
    ///   - kind: Of which components.
    ///   - choice: Which units take part.
    ///   - cost: The greatest increase of perplexity, as a share.
    /// - Returns: The share; 1 where none of those tried is enough.
    public func density(
        of kind: ComponentKind, by choice: UnitFilter.Choice, cost: Double
    ) -> Double {
        trials.filter {
            $0.kind == kind && $0.choice == choice
                && $0.perplexity <= densePerplexity * (1 + cost)
        }.map(\.measuredDensity).min() ?? 1
    }
}
