import Pruning
import Tensors
import Testing

@Suite("SearchProblem")
struct SearchProblemTests {
    /// Returns a seeded problem whose seconds and losses are integers, so that every sum is exact.
    ///
    /// Seconds fall from option to option. Losses are in any order, or begin at 0 and rise.
    private static func problem(
        components: Int, seed: UInt64, risingLosses: Bool, pairs: [SearchProblem.Pair] = []
    ) -> SearchProblem {
        var random = SplitMix64(seed: seed)
        let options = (0..<components).map { _ in
            var (seconds, loss) = (4000.0, 0.0)
            return (0..<Int.random(in: 1...4, using: &random)).map { _ in
                defer {
                    seconds -= Double(Int.random(in: 1...1200, using: &random))
                    let added = Double(Int.random(in: 1...50, using: &random))
                    loss = risingLosses ? loss + added : added
                }
                return SearchProblem.Option(seconds: seconds, loss: loss)
            }
        }
        return SearchProblem(base: 100, options: options, pairs: pairs)
    }

    /// Returns every choice.
    private static func choices(of problem: SearchProblem) -> [[Int]] {
        problem.options.reduce([[]]) { choices, options in
            choices.flatMap { choice in options.indices.map { choice + [$0] } }
        }
    }

    @Test("dynamic programming finds the minimum of all choices", arguments: 1...40 as ClosedRange)
    func exact(seed: Int) throws {
        let problem = Self.problem(
            components: 4, seed: UInt64(seed), risingLosses: seed % 2 == 0)
        var random = SplitMix64(seed: UInt64(seed))
        let coefficients = problem.options.map { _ in
            Double(Int.random(in: 0...3, using: &random))
        }
        func loss(_ choice: [Int]) -> Double {
            choice.indices.reduce(0) {
                $0 + coefficients[$1] * problem.options[$1][choice[$1]].loss
            }
        }
        // A bucket is one second, so rounding up changes no time.
        let budget = problem.base + 10_000
        let possible = Self.choices(of: problem).filter { problem.seconds(of: $0) <= budget }
        let search = SPDYSearch(problem)
        guard let best = possible.map(loss).min() else {
            #expect(throws: SearchError.self) {
                try search.choice(within: budget, weighing: coefficients)
            }
            return
        }
        let found = try search.choice(within: budget, weighing: coefficients)
        #expect(problem.seconds(of: found) <= budget)
        #expect(loss(found) == best)
    }

    @Test("each step of the greedy path is faster and has a higher loss")
    func path() throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            let problem = Self.problem(components: 6, seed: seed, risingLosses: true)
            let search = GreedySearch(problem)
            let path = search.path()
            #expect(path.first?.seconds == problem.seconds(of: problem.dense))
            #expect(path.first?.loss == 0)
            #expect(path.last?.seconds == problem.seconds(of: problem.fastest))
            for (before, after) in zip(path, path.dropFirst()) {
                #expect(after.seconds < before.seconds)
                #expect(after.loss > before.loss)
                let choice = try search.choice(within: after.seconds)
                #expect(problem.seconds(of: choice) <= after.seconds)
                #expect(search.loss(of: choice) <= after.loss)
            }
        }
    }

    @Test("greedy search never chooses an option if a faster option has a lower loss")
    func dominated() throws {
        for seed in 1...30 as ClosedRange<UInt64> {
            let problem = Self.problem(components: 5, seed: seed, risingLosses: false)
            let search = GreedySearch(problem)
            let (slow, fast) = (
                problem.seconds(of: problem.dense), problem.seconds(of: problem.fastest)
            )
            for share in [0.1, 0.3, 0.5, 0.7, 0.9] {
                let choice = try search.choice(within: slow - share * (slow - fast))
                for (options, index) in zip(problem.options, choice) where index > 0 {
                    #expect(options[(index + 1)...].allSatisfy { $0.loss >= options[index].loss })
                }
            }
        }
    }

    @Test("greedy search is close to the minimum of all choices, also if pairs change the cost")
    func nearMinimum() throws {
        var ratios: [Double] = []
        for seed in 1...30 as ClosedRange<UInt64> {
            let single = Self.problem(components: 4, seed: seed, risingLosses: true)
            let losses = single.options.map { $0[$0.count - 1].loss }
            let problem = SearchProblem(
                base: single.base, options: single.options,
                pairs: [
                    .init(first: 0, second: 1, loss: 0.7 * (losses[0] + losses[1])),
                    .init(first: 2, second: 3, loss: 1.3 * (losses[2] + losses[3])),
                ])
            let search = GreedySearch(problem)
            let (slow, fast) = (
                problem.seconds(of: problem.dense), problem.seconds(of: problem.fastest)
            )
            for share in [0.2, 0.5, 0.8] {
                let budget = slow - share * (slow - fast)
                let found = try search.choice(within: budget)
                #expect(problem.seconds(of: found) <= budget)
                let possible = Self.choices(of: problem).filter {
                    problem.seconds(of: $0) <= budget
                }
                let best = possible.map { search.loss(of: $0) }.min() ?? 0
                #expect(search.loss(of: found) >= best)
                if best > 0 { ratios.append(search.loss(of: found) / best) }
            }
        }
        #expect(ratios.count > 60)
        #expect(ratios.reduce(0, +) / Double(ratios.count) < 1.1)
    }

    @Test("random choices lose at most the maximum, and equal seeds give equal choices")
    func random() {
        let pair = SearchProblem.Pair(first: 0, second: 3, loss: 40)
        let problem = Self.problem(components: 8, seed: 3, risingLosses: true, pairs: [pair])
        let drawn = problem.randomChoices(50, losing: 100, seed: 1)
        let again = problem.randomChoices(50, losing: 100, seed: 1)
        #expect(drawn.map(\.choice) == again.map(\.choice))
        #expect(
            drawn.map(\.choice) != problem.randomChoices(50, losing: 100, seed: 2).map(\.choice))
        #expect(Set(drawn.map(\.choice)).count > 10)
        for (choice, loss) in drawn {
            #expect(loss == GreedySearch(problem).loss(of: choice))
            #expect(loss <= 100)
        }
        #expect(drawn.contains { $0.loss > 60 } && drawn.contains { $0.loss < 30 })
    }

    @Test("a check of losses has the median ratio and the largest factor in either direction")
    func check() {
        let check = LossCheck(
            entries: [(0.1, 0.2), (0.2, 0.2), (0.4, 0.1), (0.3, 0.36)].map {
                LossCheck.Entry(predicted: $0.0, measured: $0.1)
            })
        #expect(abs(check.medianRatio - 1.1) < 1e-9)
        #expect(abs(check.worstFactor - 4) < 1e-9)
    }

    @Test("a candidate that is not faster than a preferred one is dominated, except the first")
    func undominated() {
        let seconds = [3.0, 3, 4, 2, 2.5, 2, 1, .nan]
        let kept = SearchProblem.undominated(Array(seconds.indices)) { seconds[$0] }
        #expect(kept == [0, 3, 6])
        #expect(SearchProblem.undominated([Double.infinity], seconds: { $0 }).count == 1)
        #expect(SearchProblem.undominated([Double](), seconds: { $0 }).isEmpty)
    }
}
