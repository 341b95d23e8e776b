public import Profiling
public import Pruning
public import Transformers

/// One way for the neurons of a layer to count: how they are told, and the share of them.
public struct DensityLevel: Hashable, Sendable {
    /// How neurons are told.
    public let choice: NeuronChoice
    /// The share of them that is to count.
    public let density: Double

    /// Names a level.
    public init(_ choice: NeuronChoice, density: Double) {
        (self.choice, self.density) = (choice, density)
    }
}

/// What is known of removing units for good, from a prune of the same model for the same environment.
public struct Removal: Sendable {
    let table: LatencyTable
    /// The order in which units go.
    public let losses: LossTable
    let sensitivity: Sensitivity

    /// Puts together what a prune has found out.
    public init(table: LatencyTable, losses: LossTable, sensitivity: Sensitivity) {
        (self.table, self.losses, self.sensitivity) = (table, losses, sensitivity)
    }

    /// The share of the dense model's time that a component takes at a level.
    func seconds(of component: Component, keeping level: Int) -> Double {
        table.seconds(of: component.kind, keeping: level) / table.dense.seconds
    }

    /// What keeping so many units of a component alone does to the dense model.
    func damage(_ component: Component, keeping level: Int) -> Double {
        sensitivity.damage(of: component, prior: losses.prior(of: component, keeping: level))
    }
}

/// Which share of neurons counts in which layer, and how they are told.
///
/// The search is that which removes units for good: what a level saves was measured on whole models,
/// and so was what it does to the model's predictions. Where what removal costs is known too, a component may lose units for good, or
/// compute few of them, or both.
///
/// Times are shares of the dense model's.
public struct DensitySearch {
    /// What is chosen for a model.
    public struct Choice: Sendable {
        /// The units that stay.
        public let plan: Plan
        /// What counts in components; those are missing in which all does.
        public let levels: [Component: DensityLevel]
        /// The share of the neurons that stay that should be computed, where not all are.
        public let computed: [Component: Double]
    }

    /// A way in which components of one kind may be told what counts.
    public struct Way: Hashable, Sendable {
        /// Which components.
        public let kind: ComponentKind
        /// How: of attention blocks inputs are told by value, heads by trained predictors.
        public let choice: NeuronChoice

        /// Names a way.
        public init(_ kind: ComponentKind, _ choice: NeuronChoice) {
            (self.kind, self.choice) = (kind, choice)
        }

        /// All that some choices allow.
        public static func all(of choices: [NeuronChoice]) -> [Way] {
            choices.map { Way(.feedForward, $0) }
                + choices.filter { $0 == .computed || $0.rank != nil }.map { Way(.attention, $0) }
        }
    }

    /// The shares at which what is saved is measured, and damage.
    public static let probes = [0.5, 0.2]

    /// One way for a component to be.
    private struct Option {
        var units: Int
        var level: DensityLevel?
        var computed = 1.0
        /// Beside the dense component's.
        var seconds: Double
        var loss: Double
    }

    private let options: [Component: [Option]]
    private let layers: Int
    private let search: GreedySearch

    /// Prepares a search.
    ///
    /// - Parameters:
    ///   - calibration: What levels of each layer come to.
    ///   - densities: The shares that may count, those of ``probes`` among them.
    ///   - shape: The sizes of the model.
    ///   - saved: For each way and each of ``probes`` the share of the dense model's time that it
    ///     saves where all components of its kind are told alike.
    ///   - headSaving: What screening the head saves.
    ///   - damages: What levels of single components do to the dense model.
    ///   - removal: What removing units for good costs; nil where none are.
    public init(
        _ calibration: ContextualCalibration, densities: [Double], shape: ModelShape,
        saved: [Way: [Double]], headSaving: Double, damages: ContextualDamages,
        removal: Removal? = nil
    ) {
        let costs = saved.map { way, saved in
            Cost(
                way: way,
                volumes: Self.probes.map {
                    calibration.volume(way, density: $0, components: shape.components)
                }, saved: saved)
        }.sorted { $0.way.choice.description < $1.way.choice.description }
        var sizes: [ComponentKind: Int] = [:]
        for component in shape.components {
            sizes[component.kind, default: 0] += shape.units(of: component)
        }
        var options: [Component: [Option]] = [:]
        for component in shape.components {
            let all = shape.units(of: component)
            let widths =
                [all]
                + (removal?.table.usefulLevels(of: component.kind) ?? [])
                .filter { $0 < all }
            var known: [Option] = []
            for units in widths {
                var fixed = Option(units: units, seconds: 0, loss: 0)
                if let removal, units < all {
                    fixed.seconds =
                        removal.seconds(of: component, keeping: units)
                        - removal.seconds(of: component, keeping: all)
                    fixed.loss = removal.damage(component, keeping: units)
                }
                known.append(fixed)
                guard units > 0, units == all || component.kind == .feedForward else { continue }
                let kept = removal?.losses.components[component]?.kept(units)
                let share = Double(all) / Double(sizes[component.kind] ?? 1)
                for cost in costs where cost.way.kind == component.kind {
                    // What does not depend on how many are computed grows with those that stay.
                    let whole = removal.map {
                        $0.seconds(of: component, keeping: all)
                            - $0.seconds(of: component, keeping: 0)
                    }
                    let telling = max(0, (whole ?? 0) - share * cost.saved(at: 0))
                    for density in densities {
                        let level = DensityLevel(cost.way.choice, density: density)
                        guard let totals = calibration.totals(level, of: component, kept: kept)
                        else { continue }
                        known.append(
                            Option(
                                units: units, level: level,
                                computed: totals.computed * Double(all) / Double(units),
                                seconds: -share * cost.saved(at: totals.volume)
                                    - telling * (1 - Double(units) / Double(all)),
                                loss: fixed.loss
                                    + damages.damage(
                                        of: component, level.choice, losing: totals.lost)))
                    }
                }
            }
            options[component] = Self.worthwhile(known)
        }
        self.options = options
        layers = shape.layers.count
        func code(_ kind: ComponentKind) -> [Int] {
            (0..<shape.layers.count).map {
                (options[Component(layer: $0, kind: kind)]?.count ?? 1) - 1
            }
        }
        search = GreedySearch(
            SearchSpace(
                dense: Plan(attention: code(.attention), feedForward: code(.feedForward)),
                costs: OptionCosts(
                    base: 1 - headSaving, seconds: options.mapValues { $0.map(\.seconds) }))
        ) { options[$0]?[$1].loss ?? 0 }
    }

    /// Options by their seconds, the fastest first and dense last, without those that do more damage
    /// than a faster one.
    private static func worthwhile(_ options: [Option]) -> [Option] {
        var kept: [Option] = []
        for option in options.sorted(by: { ($0.seconds, $0.loss) < ($1.seconds, $1.loss) })
        where option.seconds < 0 && option.loss < kept.last?.loss ?? .infinity {
            kept.append(option)
        }
        return kept + options.prefix(1)
    }

    /// The greatest speedup that is predicted of any choice.
    public var greatestSpeedup: Double { 1 / search.space.leastSeconds }

    /// What should do least damage at a speedup.
    ///
    /// - Throws: `SearchError` where it is out of reach.
    public func choice(speedup: Double) throws(SearchError) -> Choice {
        let codes = try search.plan(within: 1 / speedup)
        var plan = Plan(
            attention: [Int](repeating: 0, count: layers),
            feedForward: [Int](repeating: 0, count: layers))
        var (levels, computed): ([Component: DensityLevel], [Component: Double]) = ([:], [:])
        for (component, options) in options {
            let option = options[codes[component]]
            plan[component] = option.units
            levels[component] = option.level
            computed[component] = option.level.map { _ in option.computed }
        }
        return Choice(plan: plan, levels: levels, computed: computed)
    }
}

/// What a way to tell what counts saves, from two plans in which all components are told alike.
private struct Cost {
    let way: DensitySearch.Way
    let volumes: [Double]
    let saved: [Double]

    /// What it saves where so large a share of the weights is read.
    func saved(at volume: Double) -> Double {
        guard saved.count == 2, volumes[0] != volumes[1] else { return saved.last ?? 0 }
        let slope = (saved[1] - saved[0]) / (volumes[1] - volumes[0])
        return saved[0] + slope * (volume - volumes[0])
    }
}

/// Options by their number.
private struct OptionCosts: CostModel {
    let base: Double
    let seconds: [Component: [Double]]

    var hiddenSize: Int { 1 }

    func seconds(of component: Component, keeping level: Int) -> Double {
        seconds[component]?[level] ?? 0
    }

    func levels(of component: Component) -> [Int] {
        (seconds[component] ?? []).indices.reversed()
    }
}

extension ContextualCalibration {
    /// The share of the weights of all components of a kind that is read where they are told alike.
    fileprivate func volume(
        _ way: DensitySearch.Way, density: Double, components: [Component]
    ) -> Double {
        let known = components.filter { $0.kind == way.kind }.map {
            totals(DensityLevel(way.choice, density: density), of: $0)?.volume ?? 1
        }
        return known.isEmpty ? 1 : known.reduce(0, +) / Double(known.count)
    }
}
