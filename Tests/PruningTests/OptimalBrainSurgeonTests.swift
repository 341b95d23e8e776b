import Tensors
import TestSupport
import Testing

@testable import Pruning

@Suite("OptimalBrainSurgeon")
struct OptimalBrainSurgeonTests {
    @Test(
        "every step removes the unit with the lowest least-squares error", arguments: [1, 2, 3],
        [false, true])
    func bruteForce(unitSize: Int, bias: Bool) throws {
        for seed in 0..<8 as Range<UInt64> {
            let layer = ReferenceLayer(
                outputs: 4, units: 6, unitSize: unitSize, samples: 30, bias: bias, seed: seed)
            let removal = try layer.surgeon().removalOrder()
            var remaining = Array(0..<6)
            var total = layer.error(layer.fit(remaining))
            for (step, unit) in removal.order.enumerated() {
                let errors = remaining.map { candidate in
                    layer.error(layer.fit(remaining.filter { $0 != candidate }))
                }
                let minimum = try #require(errors.min())
                let chosen = errors[try #require(remaining.firstIndex(of: unit))]
                #expect(abs(chosen - minimum) <= 1e-9 * minimum)
                let increase = removal.errors[5 - step] - removal.errors[6 - step]
                #expect(abs(increase - (minimum - total)) <= 1e-9 * minimum)
                remaining.removeAll { $0 == unit }
                total = minimum
            }
            #expect(removal.errors[6] == 0)
        }
    }

    @Test(
        "accumulated scores equal the error, and corrected weights equal the least-squares fit",
        arguments: [(200, 1, 2.0, 0.5), (40, 5, 0.4, 0.99), (97, 2, 1.0, 0.0)])
    func identities(units: Int, unitSize: Int, samples: Double, correlation: Double) throws {
        let columns = units * unitSize
        let layer = ReferenceLayer(
            outputs: 8, units: units, unitSize: unitSize, samples: Int(Double(columns) * samples),
            bias: true, correlation: correlation, seed: 9)
        let surgeon = try layer.surgeon(threads: 2)
        let removal = try surgeon.removalOrder(block: 16, restartBelow: 20)
        for level in [0, 1, units / 4, units / 2, units - 1] {
            let kept = removal.kept(level)
            let fit = layer.fit(kept)
            let error = layer.error(fit)
            #expect(abs(removal.errors[level] - error) <= 1e-9 * removal.errors[0])
            #expect(abs(removal.errors[level] - error) <= 1e-6 * error + 1e-12)
            expectClose(
                try surgeon.refit(keeping: kept).elements.map(Double.init),
                fit.selecting(columns: layer.columns(kept)).elements, absolute: 2e-6,
                relative: 1e-6)
        }
        let zero = Matrix<Double>(rows: 8, columns: columns + 1)
        #expect(abs(surgeon.norm - layer.error(zero)) <= 1e-9 * surgeon.norm)
    }

    @Test("removal in blocks with restarts equals removal of one unit at a time")
    func lazyEqualsNaive() throws {
        let surgeon = try ReferenceLayer(
            outputs: 20, units: 150, unitSize: 1, samples: 300, seed: 3
        ).surgeon()
        let naive = try surgeon.removalOrder(block: 1, restartBelow: 1000)
        for (block, restart) in [(7, 1000), (7, 10), (64, 40), (1, 1)] {
            let blocked = try surgeon.removalOrder(block: block, restartBelow: restart)
            #expect(blocked.order == naive.order)
            expectClose(blocked.errors, naive.errors, relative: 1e-9)
        }
    }

    @Test("restarts do not change the removal of groups of columns")
    func groupsRestart() throws {
        let surgeon = try ReferenceLayer(
            outputs: 9, units: 40, unitSize: 3, samples: 200, seed: 4
        ).surgeon()
        let (once, often) = (
            try surgeon.removalOrder(block: 1, restartBelow: 1000),
            try surgeon.removalOrder(block: 1, restartBelow: 1)
        )
        #expect(once.order == often.order)
        expectClose(once.errors, often.errors, relative: 1e-9)
    }

    @Test("no bit of the result depends on the number of threads or changes in a repetition")
    func deterministic() throws {
        let layer = ReferenceLayer(outputs: 30, units: 180, unitSize: 1, samples: 100, seed: 5)
        let one = try layer.surgeon()
        let two = try layer.surgeon(threads: 2)
        let removal = try one.removalOrder()
        #expect(try two.removalOrder() == removal)
        #expect(try one.removalOrder() == removal)
        let kept = removal.kept(90)
        #expect(try one.refit(keeping: kept) == two.refit(keeping: kept))
    }

    @Test("inputs that are always 0 are removed first without error, and keep their weights")
    func deadColumns() throws {
        var layer = ReferenceLayer(outputs: 5, units: 12, unitSize: 1, samples: 50, seed: 6)
        // The inputs are small, so that a 1 in place of a dead input would be conspicuous.
        for place in layer.hessian.elements.indices { layer.hessian.elements[place] *= 1e-3 }
        for dead in [3, 7] {
            for other in 0..<12 {
                layer.hessian[dead, other] = 0
                layer.hessian[other, dead] = 0
            }
        }
        let surgeon = try layer.surgeon()
        let removal = try surgeon.removalOrder()
        #expect(Set(removal.order.prefix(2)) == [3, 7])
        #expect(removal.errors[10] == 0 && removal.errors[9] > 0)
        for order in [surgeon.activationOrder(), surgeon.fluctuationOrder()] {
            #expect(Set(order.order.prefix(2)) == [3, 7])
        }
        let all = try surgeon.refit(keeping: Array(0..<12))
        expectClose(all.elements, layer.weight.elements, absolute: 1e-6)
        #expect(all[2, 7] == layer.weight[2, 7])
    }

    @Test("a layer whose inputs are all 0 has no error")
    func allDead() throws {
        var layer = ReferenceLayer(outputs: 3, units: 4, unitSize: 2, samples: 5, seed: 7)
        layer.hessian = Matrix(rows: 8, columns: 8)
        let surgeon = try layer.surgeon()
        let removal = try surgeon.removalOrder()
        #expect(removal.errors == [0, 0, 0, 0, 0] && surgeon.norm == 0)
        #expect(try surgeon.refit(keeping: [0, 1, 2, 3]) == layer.weight)
    }

    @Test("damping makes the problem solvable with fewer samples than columns", arguments: [1, 4])
    func rankDeficient(unitSize: Int) throws {
        let layer = ReferenceLayer(
            outputs: 6, units: 60 / unitSize, unitSize: unitSize, samples: 7, seed: 8)
        let surgeon = try layer.surgeon()
        let removal = try surgeon.removalOrder()
        let kept = removal.kept(30 / unitSize)
        let error = layer.error(layer.fit(kept))
        #expect(abs(removal.errors[30 / unitSize] - error) <= 1e-6 * error)
        var undamped = layer
        undamped.damping = 0
        #expect(throws: SurgeonError.self) { try undamped.surgeon().removalOrder() }
    }

    @Test("the bias is corrected by the mean of removed inputs")
    func bias() throws {
        var layer = ReferenceLayer(
            outputs: 2, units: 3, unitSize: 1, samples: 9, bias: true, seed: 1)
        layer.damping = 0
        layer.hessian = Matrix(rows: 4, columns: 4)
        let means = [2.0, -1, 4]
        for i in 0..<3 {
            for j in 0..<3 { layer.hessian[i, j] = means[i] * means[j] + (i == j ? 0.1 : 0) }
            layer.hessian[i, 3] = means[i]
            layer.hessian[3, i] = means[i]
        }
        layer.hessian[3, 3] = 1
        let surgeon = try layer.surgeon()
        let fit = try surgeon.refit(keeping: [])
        for row in 0..<2 {
            let want = (0..<3).reduce(layer.weight[row, 3]) {
                $0 + layer.weight[row, $1] * Float(means[$1])
            }
            #expect(abs(fit[row, 0] - want) < 1e-5)
        }
        let squares = (0..<3).reduce(0.0) { sum, column in
            sum + 0.1
                * (0..<2).reduce(0.0) {
                    $0 + Double(layer.weight[$1, column] * layer.weight[$1, column])
                }
        }
        #expect(abs(try surgeon.removalOrder().errors[0] - squares) < 1e-6)
    }

    @Test("a fit to the layer's own outputs is the ordinary fit, and other outputs can be fitted")
    func towards() throws {
        let layer = ReferenceLayer(
            outputs: 3, units: 10, unitSize: 1, samples: 40, bias: true, seed: 2)
        let surgeon = try layer.surgeon()
        let weight = Matrix(
            rows: 3, columns: 11, elements: layer.weight.elements.map(Double.init))
        let own = weight.multiplied(by: layer.hessian, pool: ThreadPool(threads: 1))
        let kept = [0, 2, 5, 9]
        expectClose(
            try surgeon.refit(keeping: kept, towards: own).elements,
            try surgeon.refit(keeping: kept).elements, absolute: 1e-5)
        let doubled = Matrix(rows: 3, columns: 11, elements: own.elements.map { 2 * $0 })
        #expect(
            try surgeon.refit(keeping: kept, towards: doubled) != surgeon.refit(keeping: kept))
    }

    @Test("the errors of masking orders agree with their definition")
    func masking() throws {
        let layer = ReferenceLayer(outputs: 4, units: 9, unitSize: 2, samples: 60, seed: 11)
        let surgeon = try layer.surgeon()
        let magnitude = surgeon.magnitudeOrder()
        let norms = magnitude.order.map { unit in
            layer.columns([unit]).reduce(0) { sum, column in
                sum + (0..<4).reduce(0) { $0 + layer.weight[$1, column] * layer.weight[$1, column] }
            }
        }
        #expect(norms == norms.sorted())
        let activation = surgeon.activationOrder()
        let squares = activation.order.map { unit in
            layer.columns([unit]).reduce(0) { $0 + layer.hessian[$1, $1] }
        }
        #expect(squares == squares.sorted())
        for removal in [magnitude, activation, surgeon.randomOrder(seed: 3)] {
            #expect(removal.order.sorted() == Array(0..<9))
            for level in 0...9 {
                var masked = Matrix<Double>(rows: 4, columns: 18)
                for column in layer.columns(removal.kept(level)) {
                    for row in 0..<4 { masked[row, column] = Double(layer.weight[row, column]) }
                }
                #expect(abs(removal.errors[level] - layer.error(masked)) <= 1e-9 * surgeon.norm)
            }
        }
        #expect(surgeon.randomOrder(seed: 3) == surgeon.randomOrder(seed: 3))
        #expect(surgeon.randomOrder(seed: 3) != surgeon.randomOrder(seed: 4))
    }

    @Test("invalid input gives an error with the reason")
    func refuses() throws {
        let layer = ReferenceLayer(outputs: 2, units: 4, unitSize: 2, samples: 20, seed: 12)
        var damaged = layer
        damaged.unitSize = 3
        #expect(throws: SurgeonError.unitSize(3, columns: 8)) { try damaged.surgeon() }
        damaged.unitSize = 0
        #expect(throws: SurgeonError.unitSize(0, columns: 8)) { try damaged.surgeon() }
        damaged = layer
        damaged.hessian = Matrix(rows: 8, columns: 7)
        #expect(throws: SurgeonError.hessianShape(rows: 8, columns: 7, weightColumns: 8)) {
            try damaged.surgeon()
        }
        damaged = layer
        damaged.weight[1, 3] = .nan
        #expect(throws: SurgeonError.weightNotFinite(row: 1, column: 3)) { try damaged.surgeon() }
        damaged = layer
        damaged.hessian[5, 5] = .infinity
        #expect(throws: SurgeonError.hessianDiagonal(column: 5, value: .infinity)) {
            try damaged.surgeon()
        }
        damaged = layer
        damaged.hessian[5, 4] = .nan
        #expect(throws: SurgeonError.notPositiveDefinite(row: 5)) {
            try damaged.surgeon().removalOrder()
        }
        #expect(throws: SurgeonError.unknownUnit(4, units: 4)) {
            try layer.surgeon().refit(keeping: [0, 4])
        }
    }
}
