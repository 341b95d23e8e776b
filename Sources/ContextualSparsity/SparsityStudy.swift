internal import Evaluation
public import Tensors
public import Transformers

/// The share of heads and neurons of a decoder that each token needs.
///
/// The study measures the perplexity if only a share of the units, the density, is kept for each
/// token. It selects the kept units in three ways (``UnitFilter/Choice``):
/// - the units with the largest contributions, the same number for each token.
/// - the units whose contributions exceed a threshold.
/// - random units.
///
/// No predictor can select better than the first way. If a model loses much quality with the first
/// way, it has no useful contextual sparsity.
public struct SparsityStudy: Codable, Sendable, Equatable {
    /// A selection of units, and its perplexity.
    public struct Trial: Codable, Sendable, Equatable {
        /// The kind of components that lost units.
        public let kind: ComponentKind
        /// The method that selected the kept units.
        public let choice: UnitFilter.Choice
        /// The requested share of units to keep.
        public let density: Double
        /// The share of units that was kept.
        public let measuredDensity: Double
        /// The perplexity of the filtered model.
        public let perplexity: Double
    }

    /// The units that a component needs.
    public struct Need: Codable, Sendable, Equatable {
        /// The component.
        public let component: Component
        /// The mean number of units that a token needs, divided by the number of all units.
        ///
        /// It has a value for each of ``ScoreStatistics/shares``. For the share 0.9, a token needs
        /// the smallest number of units whose squared contributions add up to at least 90% of the
        /// sum over all units.
        public let shares: [Double]
    }

    /// The perplexity of the dense model.
    public let densePerplexity: Double
    /// The trials by kind, then by choice, then by descending density.
    public let trials: [Trial]
    /// The units that each component needs, in the order of the forward pass.
    public let needs: [Need]

    /// The densities of the trials.
    public static let densities = [0.75, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05]

    /// Studies a decoder.
    ///
    /// - Parameters:
    ///   - model: The decoder, packed.
    ///   - scores: The contributions of its units.
    ///   - calibration: Windows for thresholds and needs, at least one.
    ///   - windows: Other windows for the trials, at least one.
    ///   - engine: The engine to run on.
    ///   - progress: Called with the number of finished trials, the dense one first; may throw an
    ///     error to stop.
    /// - Throws: The errors of `progress`.
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

    /// The number of trials of a study, including the dense one.
    public static var trialCount: Int {
        1 + ComponentKind.allCases.count * UnitFilter.Choice.allCases.count * densities.count
    }

    /// Returns the lowest density whose trial keeps perplexity within a limit.
    ///
    /// - Parameters:
    ///   - kind: The kind of components.
    ///   - choice: The method that selects units.
    ///   - cost: The maximum relative increase of perplexity.
    /// - Returns: The density; 1 if no trial is within the limit.
    public func density(
        of kind: ComponentKind, by choice: UnitFilter.Choice, cost: Double
    ) -> Double {
        trials.filter {
            $0.kind == kind && $0.choice == choice
                && $0.perplexity <= densePerplexity * (1 + cost)
        }.map(\.measuredDensity).min() ?? 1
    }
}
