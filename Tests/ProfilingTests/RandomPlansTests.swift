import Testing
import Transformers

@testable import Profiling

@Suite("Random plans")
struct RandomPlansTests {
    private let table = smallTable(curves: [
        .attention: curve([2: 2, 1: 0.5]),
        .feedForward: curve([96: 3, 64: 1.5, 32: 0.2]),
    ])

    @Test("random plans cover all speedups from 1 to the maximum, the slowest plan first")
    func spread() {
        let plans = table.randomPlans(40, seed: 5)
        let speedups = plans.map(table.predictedSpeedup)
        #expect(speedups.allSatisfy { $0 >= 1 && $0 <= table.maximumSpeedup })
        for edge in [1.2, 2, 4] {
            #expect(speedups.contains { $0 < edge } && speedups.contains { $0 > edge })
        }
        #expect(plans.contains { $0.attention.contains(0) })
        #expect(plans.contains { $0.feedForward.contains(0) })
        #expect(plans.contains { $0.attention.contains(1) })
    }

    @Test("random plans contain only useful levels, and depend on the seed")
    func levels() {
        let plans = table.randomPlans(20, seed: 1)
        #expect(plans == table.randomPlans(20, seed: 1))
        #expect(plans != table.randomPlans(20, seed: 2))
        for plan in plans {
            for component in plan.components {
                #expect(table.usefulVariants(of: component.kind).contains(plan[component]))
            }
        }
    }
}
