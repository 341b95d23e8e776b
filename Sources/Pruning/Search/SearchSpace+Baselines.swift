public import Transformers

/// Plans that meet a budget without knowledge of losses: baselines for the search.
extension SearchSpace {
    /// Keeps the same fraction of every component, the largest that meets the budget.
    ///
    /// A component has its largest variant that does not exceed the fraction. The rest of the
    /// budget then lets components, from the first on, keep their next larger variant.
    ///
    /// - Parameter budget: Seconds.
    /// - Returns: The plan.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``.
    public func uniformPlan(within budget: Double) throws(SearchError) -> Plan {
        try outline.check(budget)
        func fraction(_ component: Int, _ index: Int) -> Double {
            Double(variants[component][index].units) / Double(variants[component][0].units)
        }
        let fractions = Set(
            components.indices.flatMap { component in
                variants[component].indices.map { fraction(component, $0) }
            })
        for limit in fractions.sorted(by: >) {
            let choice = components.indices.map { component in
                variants[component].indices.first { fraction(component, $0) <= limit }
                    ?? variants[component].count - 1
            }
            if outline.seconds(of: choice) <= budget {
                return plan(outline.raising(choice, in: components.indices, within: budget))
            }
        }
        return plan(outline.fastest)
    }

    /// Keeps the same share of the residual stream's channels and of every component's units.
    ///
    /// All layers are pruned equally. The plan has the largest hidden size that fits the budget
    /// while the share of neurons kept is at least the share of channels kept. At that hidden size
    /// it keeps as many neurons as fit.
    ///
    /// - Parameters:
    ///   - budget: Seconds.
    ///   - step: The hidden size is a multiple of this number.
    ///   - headsThatDivide: The heads of one unit of attention, if the number of kept heads must
    ///     divide the hidden size; nil if it need not.
    /// - Returns: The plan.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``.
    public func widthPlan(
        within budget: Double, step: Int, headsThatDivide: Int? = nil
    ) throws(SearchError) -> Plan {
        func nearest(to share: Double, in component: Int, size: Int) -> Int? {
            let units = variants[component].map(\.units)
            func divides(_ index: Int) -> Bool {
                guard let headsThatDivide, components[component].kind == .attention else {
                    return true
                }
                return size % (units[index] * headsThatDivide) == 0
            }
            func distance(_ index: Int) -> Double {
                abs(Double(units[index]) - share * Double(units[0]))
            }
            return units.indices.filter { units[$0] > 0 && divides($0) }
                .min { distance($0) < distance($1) }
        }
        let areNeurons = components.map { $0.kind == .feedForward }
        let neuronShares = Set(
            components.indices.filter { areNeurons[$0] }.flatMap { index in
                variants[index].map { Double($0.units) / Double(variants[index][0].units) }
            }
        ).sorted(by: >)
        var fastest = denseSeconds
        for size in stride(from: hiddenSize / step * step, to: 0, by: -step) {
            let share = Double(size) / Double(hiddenSize)
            // From all neurons down to the share of the channels.
            for neuronShare in neuronShares.filter({ $0 > share }) + [share] {
                let choice = components.indices.compactMap {
                    nearest(to: areNeurons[$0] ? neuronShare : share, in: $0, size: size)
                }
                guard choice.count == components.count else { continue }
                let needed = share * outline.seconds(of: choice)
                fastest = min(fastest, needed)
                guard needed <= budget else { continue }
                var plan = plan(choice)
                if size < hiddenSize { plan.hiddenSize = size }
                return plan
            }
        }
        throw .unreachable(target: denseSeconds / budget, maximum: denseSeconds / fastest)
    }

    /// Removes whole layers, the least important first, the minimum number that meets the budget.
    ///
    /// The branches of the last removed layer are restored as far as the budget allows, the slower
    /// branch first.
    ///
    /// - Parameters:
    ///   - budget: Seconds.
    ///   - importance: A score of each layer, such as its block influence. Layers without a score
    ///     count as the most important.
    /// - Returns: The plan.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``.
    public func depthPlan(
        within budget: Double, importance: [Double]
    ) throws(SearchError) -> Plan {
        let scores = dense.variants(of: .attention).indices.map {
            importance.indices.contains($0) ? importance[$0] : .infinity
        }
        let order = scores.indices.sorted { (scores[$0], $0) < (scores[$1], $1) }
        let groups = order.map { layer in
            components.indices.filter { components[$0].layer == layer }
        }
        return plan(try outline.removal(of: groups, within: budget))
    }

    /// Lowers random components one variant at a time until the plan is fast enough.
    ///
    /// - Parameters:
    ///   - budget: Seconds.
    ///   - seed: Equal seeds give equal plans.
    /// - Returns: The plan.
    /// - Throws: ``SearchError/unreachable(target:maximum:)``.
    public func randomPlan(within budget: Double, seed: UInt64) throws(SearchError) -> Plan {
        plan(try outline.randomChoice(within: budget, seed: seed))
    }
}
