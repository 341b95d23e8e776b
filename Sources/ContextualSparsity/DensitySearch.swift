public import Profiling
public import Pruning
public import Transformers

/// The density of a component and the method that selects its units.
///
/// The density is the share of the component's units that is computed for each token.
public struct DensityLevel: Hashable, Sendable {
    /// The method that selects the units to compute.
    public let choice: NeuronChoice
    /// The share of units to compute.
    public let density: Double

    /// Creates a density level.
    public init(_ choice: NeuronChoice, density: Double) {
        (self.choice, self.density) = (choice, density)
    }
}

/// The costs of removing units permanently, from a pruning run of the same model in the same
/// environment.
public struct Removal: Sendable {
    let table: LatencyTable
    /// The order in which units are removed.
    public let losses: LossTable
    let sensitivity: Sensitivity

    /// Combines the profile, the loss table and the sensitivity of a pruning run.
    public init(table: LatencyTable, losses: LossTable, sensitivity: Sensitivity) {
        (self.table, self.losses, self.sensitivity) = (table, losses, sensitivity)
    }

    /// Returns the time of a variant of a component, as a share of the dense model's time.
    func seconds(of component: Component, as variant: Variant) -> Double {
        table.seconds(of: component.kind, as: variant) / table.dense.seconds
    }

    /// Returns the divergence from the dense model if only this component has the variant.
    func divergence(_ component: Component, as variant: Variant) -> Double {
        sensitivity.divergence(
            of: component, prior: losses.prior(of: component, keeping: variant.units))
    }
}

/// Chooses the density of each component, and the method that selects its units.
///
/// The search is ``GreedySearch``, which pruning also uses. The time that a density level saves,
/// and its effect on the model's predictions, are measured on whole models. If the costs of removal
/// are also known, the choice may remove units of a component permanently, compute only some of its
/// units, or both.
///
/// Times are given as shares of the dense model's time.
public struct DensitySearch {
    /// The result of the search for a model.
    public struct Choice: Sendable {
        /// The units that are kept.
        public let plan: Plan
        /// The density level of each component that computes only a part of its units.
        public let levels: [Component: DensityLevel]
        /// The share of the kept units that should be computed, for the same components.
        public let computed: [Component: Double]
    }

    /// A method for components of one kind.
    public struct Method: Hashable, Sendable {
        /// The kind of components.
        public let kind: ComponentKind
        /// The method that selects units.
        ///
        /// In attention blocks ``NeuronChoice/computed`` selects inputs by value, and trained
        /// predictors select heads.
        public let choice: NeuronChoice

        /// Creates a method for components of one kind.
        public init(_ kind: ComponentKind, _ choice: NeuronChoice) {
            (self.kind, self.choice) = (kind, choice)
        }

        /// All combinations of these methods with the kinds of components to which they apply.
        public static func all(of choices: [NeuronChoice]) -> [Method] {
            choices.map { Method(.feedForward, $0) }
                + choices.filter { $0 == .computed || $0.rank != nil }.map {
                    Method(.attention, $0)
                }
        }
    }

    /// The densities at which savings and divergence are measured.
    public static let probes = [0.5, 0.2]

    /// A candidate for a component.
    private struct Candidate {
        var variant: Variant
        var level: DensityLevel?
        /// The share of the kept units that is computed.
        var computed = 1.0
        /// The time of the candidate minus the time of the dense component.
        var seconds: Double
        var loss: Double
    }

    private let dense: Plan
    private let components: [Component]
    /// The candidates of each of `components`, the dense one first.
    private let candidates: [[Candidate]]
    private let problem: SearchProblem

    /// Prepares a search.
    ///
    /// - Parameters:
    ///   - calibration: The effect of the density levels in each layer.
    ///   - densities: The densities to choose from, including ``probes``.
    ///   - shape: The sizes of the model.
    ///   - saved: For each method and each of ``probes``, the saved share of the dense model's time
    ///     if all components of the method's kind have that density.
    ///   - headSaving: The share of the dense model's time that coarse logits save.
    ///   - sensitivity: The divergence from the dense model if one component has a density level.
    ///   - removal: The costs of removing units permanently; nil to remove none.
    public init(
        _ calibration: ContextualCalibration, densities: [Double], shape: ModelShape,
        saved: [Method: [Double]], headSaving: Double, sensitivity: ContextualSensitivity,
        removal: Removal? = nil
    ) {
        let costs = saved.map { method, saved in
            Cost(
                method: method,
                volumes: Self.probes.map {
                    calibration.volume(method, density: $0, components: shape.components)
                }, saved: saved)
        }.sorted { $0.method.choice.description < $1.method.choice.description }
        var sizes: [ComponentKind: Int] = [:]
        for component in shape.components {
            sizes[component.kind, default: 0] += shape.units(of: component)
        }
        dense = Plan(keepingAllOf: shape)
        components = shape.components
        var candidates: [[Candidate]] = []
        for component in components {
            let whole = dense[component]
            let all = whole.units
            let smaller = (removal?.table.usefulVariants(of: component.kind) ?? [])
                .filter { $0.units < all }
            var known: [Candidate] = []
            for variant in [whole] + smaller {
                let units = variant.units
                var fixed = Candidate(variant: variant, seconds: 0, loss: 0)
                if let removal, variant != whole {
                    fixed.seconds =
                        removal.seconds(of: component, as: variant)
                        - removal.seconds(of: component, as: whole)
                    fixed.loss = removal.divergence(component, as: variant)
                }
                known.append(fixed)
                guard units > 0, units == all || component.kind == .feedForward else { continue }
                let kept = removal?.losses.components[component]?.kept(units)
                let share = Double(all) / Double(sizes[component.kind] ?? 1)
                for cost in costs where cost.method.kind == component.kind {
                    // The time of selecting units, which all levels need, is proportional to the
                    // kept units.
                    let branch = removal.map {
                        $0.seconds(of: component, as: whole)
                            - $0.seconds(of: component, as: .removed)
                    }
                    let choosing = max(0, (branch ?? 0) - share * cost.saved(at: 0))
                    for density in densities {
                        let level = DensityLevel(cost.method.choice, density: density)
                        guard let totals = calibration.totals(level, of: component, kept: kept)
                        else { continue }
                        known.append(
                            Candidate(
                                variant: variant, level: level,
                                computed: totals.computed * Double(all) / Double(units),
                                seconds: -share * cost.saved(at: totals.volume)
                                    - choosing * (1 - Double(units) / Double(all)),
                                loss: fixed.loss
                                    + sensitivity.divergence(
                                        of: component, level.choice, losing: totals.lost)))
                    }
                }
            }
            candidates.append(Self.undominated(known))
        }
        self.candidates = candidates
        problem = SearchProblem(
            base: 1 - headSaving,
            options: candidates.map {
                $0.map { SearchProblem.Option(seconds: $0.seconds, loss: $0.loss) }
            })
    }

    /// Returns the dense candidate, and each candidate that is faster than all candidates with the
    /// same or a lower loss.
    private static func undominated(_ candidates: [Candidate]) -> [Candidate] {
        let others = candidates.dropFirst().filter(\.loss.isFinite)
            .sorted { ($0.loss, $0.seconds) < ($1.loss, $1.seconds) }
        return SearchProblem.undominated(candidates.prefix(1) + others, seconds: \.seconds)
    }

    /// The greatest predicted speedup of any choice.
    public var maximumSpeedup: Double { 1 / problem.seconds(of: problem.fastest) }

    /// The choice with the lowest predicted divergence at a speedup.
    ///
    /// - Throws: `SearchError` if no choice reaches the speedup.
    public func choice(speedup: Double) throws(SearchError) -> Choice {
        let found = try GreedySearch(problem).choice(within: 1 / speedup)
        var plan = dense
        var (levels, computed): ([Component: DensityLevel], [Component: Double]) = ([:], [:])
        for (index, component) in components.enumerated() {
            let candidate = candidates[index][found[index]]
            plan[component] = candidate.variant
            levels[component] = candidate.level
            computed[component] = candidate.level.map { _ in candidate.computed }
        }
        return Choice(plan: plan, levels: levels, computed: computed)
    }
}

/// The time that a method saves, from two measured plans in which all components have one density.
private struct Cost {
    let method: DensitySearch.Method
    let volumes: [Double]
    let saved: [Double]

    /// Returns the saved share of time if this share of the weights is read.
    ///
    /// It is on the line through both measured plans.
    func saved(at volume: Double) -> Double {
        guard saved.count == 2, volumes[0] != volumes[1] else { return saved.last ?? 0 }
        let slope = (saved[1] - saved[0]) / (volumes[1] - volumes[0])
        return saved[0] + slope * (volume - volumes[0])
    }
}

extension ContextualCalibration {
    /// Returns the mean share of the weights that is read if all `components` have one density.
    fileprivate func volume(
        _ method: DensitySearch.Method, density: Double, components: [Component]
    ) -> Double {
        let known = components.filter { $0.kind == method.kind }.map {
            totals(DensityLevel(method.choice, density: density), of: $0)?.volume ?? 1
        }
        return known.isEmpty ? 1 : known.reduce(0, +) / Double(known.count)
    }
}
