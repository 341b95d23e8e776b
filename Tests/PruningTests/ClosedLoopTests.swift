import ModelFiles
import Tensors
import Testing
import Transformers

@testable import Profiling
@testable import Pruning

@Suite("ClosedLoop")
struct ClosedLoopTests {
    /// A table of eight layers whose levels are in small steps.
    ///
    /// The maximum speedup is 5.
    private let table: LatencyTable = {
        let shape = ModelShape(
            architecture: .llama, vocabularySize: 512, hiddenSize: 64, headDimension: 16,
            maximumPositions: 128, normEpsilon: 1e-5, ropeTheta: 10_000, tiedHead: true,
            layers: [LayerShape](
                repeating: LayerShape(queryHeads: 8, keyValueHeads: 8, feedForward: 320), count: 8))
        func curve(_ levels: [Int], _ seconds: Double) -> LatencyCurve {
            LatencyCurve(
                entries: levels.map {
                    LatencyCurve.Entry(
                        level: $0,
                        timing: timing(seconds * Double($0) / Double(levels[0])))
                })
        }
        return LatencyTable(
            shape: shape,
            machine: Machine.current,
            environment: InferenceEnvironment(
                phase: .decode, batch: 1, sequence: 64, threads: 1, precision: .f32),
            dense: timing(20), base: timing(4),
            curves: [
                .attention: curve([8, 7, 6, 5, 4, 3, 2, 1], 0.8),
                .feedForward: curve([320, 288, 256, 224, 192, 160, 128, 96, 64, 32], 1.2),
            ], created: "2025-01-01T00:00:00Z", espalierVersion: "0")
    }()

    /// Runs the loop on a machine where `truth` computes the real speedup from the prediction.
    private func run(
        _ loop: ClosedLoop, noise: Double = 0, seed: UInt64 = 1,
        truth: @escaping (Double) -> Double
    ) throws -> (best: ClosedLoop.Attempt, made: [ClosedLoop.Attempt], count: Int) {
        let space = SearchSpace(
            dense: Plan(keepingAllOf: table.shape), costs: TableCosts(table))
        let search = GreedySearch(
            space.problem { component, variant in
                let kept = Double(variant.units) / Double(space.dense[component].units)
                return (1 - kept) * (1 - kept) * Double(1 + component.layer)
            })
        var random = SplitMix64(seed: seed)
        var made: [ClosedLoop.Attempt] = []
        let (best, count) = try loop.run(table) {
            space.plan(try search.choice(within: $0))
        } measure: { plan in
            let predicted = table.predict(Plan(keepingAllOf: table.shape)) / table.predict(plan)
            let speedup =
                truth(predicted) * (1 + noise * Double.random(in: -1...1, using: &random))
            return Comparison(
                model: timing(20 / speedup), dense: timing(20), speedup: speedup,
                interval: speedup * 0.997...speedup * 1.003)
        } report: {
            made.append($0)
        }
        return (best, made, count)
    }

    @Test(
        "an error of the profile is corrected", arguments: [0.8, 0.9, 1, 1.1, 1.25],
        [1.25, 1.5, 2, 3])
    func bias(factor: Double, target: Double) throws {
        let loop = ClosedLoop(target: target)
        let (best, made, count) = try run(loop) { 1 + ($0 - 1) * factor }
        #expect(count == made.count && count <= loop.attempts)
        #expect(best.comparison.interval.lowerBound >= target)
        #expect(best.comparison.speedup <= target * 1.06)
        #expect(Set(made.map(\.plan)).count == made.count, "a plan was measured twice")
    }

    @Test("a known correction factor needs no further attempts", arguments: [0.9, 1.1])
    func warned(factor: Double) throws {
        var loop = ClosedLoop(target: 2)
        let (_, unwarned, _) = try run(loop) { $0 * factor }
        loop.correction = 1 / factor
        let (best, made, _) = try run(loop) { $0 * factor }
        #expect(made.count == 1 && unwarned.count > 1)
        #expect(best.comparison.interval.lowerBound >= 2)
    }

    @Test("the loop reaches the target in spite of noise", arguments: 1...20 as ClosedRange<UInt64>)
    func noise(seed: UInt64) throws {
        let (best, made, _) = try run(ClosedLoop(target: 1.5), noise: 0.015, seed: seed) {
            1 + ($0 - 1) * 0.93
        }
        #expect(best.comparison.interval.lowerBound >= 1.5)
        let holding = made.filter { $0.comparison.interval.lowerBound >= 1.5 * 1.009 }
        #expect(
            best.comparison.speedup == holding.map(\.comparison.speedup).min(),
            "the result is not the slowest plan that surely reaches the target")
    }

    @Test("the loop reaches the target in spite of hardware steps")
    func plateaus() throws {
        let (best, _, _) = try run(ClosedLoop(target: 1.5)) { ($0 * 4).rounded(.down) / 4 }
        #expect(best.comparison.speedup == 1.75)
        let (flat, made, count) = try run(ClosedLoop(target: 2, attempts: 9)) { _ in 1.3 }
        #expect(flat.comparison.speedup == 1.3 && count <= 9 && made.count == count)
    }

    @Test(
        "there is at least one attempt, and at most the maximum number of attempts",
        arguments: [1, 2, 3])
    func attempts(most: Int) throws {
        let (_, made, count) = try run(ClosedLoop(target: 2, attempts: most)) { 1 + ($0 - 1) / 2 }
        #expect(made.count == most && count == most)
        #expect(zip(made, made.dropFirst()).allSatisfy { $0.predicted < $1.predicted })
    }

    @Test("if the target is never reached, the result is the fastest plan")
    func unreachableInTruth() throws {
        let (best, made, count) = try run(ClosedLoop(target: 4, attempts: 1000)) {
            1 + ($0 - 1) * 0.5
        }
        #expect(count < 1000 && best.comparison.speedup == made.map(\.comparison.speedup).max())
        #expect(abs(best.predicted - 5) < 1e-9, "the plan that removes everything was not tried")
        #expect(best.comparison.speedup == 3)
    }

    @Test("for a target just below the maximum speedup, the fastest plan is tried")
    func nearTheLimit() throws {
        let (best, _, count) = try run(ClosedLoop(target: 4.95)) { $0 }
        #expect(abs(best.comparison.speedup - 5) < 1e-9 && count == 1)
    }

    @Test("a target above the maximum speedup gives an error with the maximum")
    func unreachable() throws {
        let error = #expect(throws: SearchError.self) {
            _ = try run(ClosedLoop(target: 6)) { $0 }
        }
        guard case .unreachable(let target, let maximum) = try #require(error) else { return }
        #expect(target == 6 && abs(maximum - 5) < 1e-9)
    }

    @Test("a speedup is decided if its interval is above, below or far above the target")
    func decided() {
        let loop = ClosedLoop(target: 2)
        #expect(loop.isDecided(2.04, 2.02...2.06))
        #expect(loop.isDecided(1.9, 1.85...1.99))
        #expect(loop.isDecided(2.2, 2.1...2.3))
        #expect(!loop.isDecided(2.04, 1.98...2.1))
        #expect(!loop.isDecided(2.07, 2.03...2.12))
    }

    /// Returns a comparison with a given speedup.
    private func comparison(_ speedup: Double, isDisturbed: Bool = false) -> Comparison {
        Comparison(
            model: timing(20 / speedup), dense: timing(20), speedup: speedup,
            interval: isDisturbed
                ? speedup * 0.8...speedup * 1.2 : speedup * 0.997...speedup * 1.003,
            isDisturbed: isDisturbed)
    }

    /// Returns a plan that keeps the given number of neurons in every layer.
    private func plan(keeping neurons: Int) -> Plan {
        Plan(
            attention: [Int](repeating: 8, count: 8),
            feedForward: [Int](repeating: neurons, count: 8))
    }

    @Test("a speedup far from the prediction is measured again, and the lower value is used")
    func distrust() throws {
        var loop = ClosedLoop(target: 1.25, attempts: 1)
        loop.tolerance = 1
        var measured = [1.6, 1.3]
        let (best, _) = try loop.run(table) { _ in
            plan(keeping: 160)
        } measure: { _ in
            comparison(measured.removeFirst())
        } report: { _ in
        }
        #expect(measured.isEmpty)
        #expect(best.comparison.speedup == 1.3)
        #expect(best.comparison.interval.upperBound > 1.6)
    }

    @Test("after a disturbed measurement the search does not choose a faster plan")
    func disturbed() throws {
        var made = 0
        let (best, count) = try ClosedLoop(target: 1.3).run(table) { _ in
            plan(keeping: 160)
        } measure: { _ in
            made += 1
            return comparison(1.33, isDisturbed: true)
        } report: { _ in
        }
        #expect(made == 1 && count == 1)
        #expect(best.comparison.isDisturbed)
    }

    @Test("plans that were too slow before are not tried again")
    func excluded() throws {
        let space = SearchSpace(dense: Plan(keepingAllOf: table.shape), costs: TableCosts(table))
        let search = GreedySearch(
            space.problem { component, variant in
                1 - Double(variant.units) / Double(space.dense[component].units)
            })
        var loop = ClosedLoop(target: 1.5, attempts: 1)
        func best() throws -> ClosedLoop.Attempt {
            try loop.run(table) {
                space.plan(try search.choice(within: $0))
            } measure: { plan in
                comparison(20 / table.predict(plan))
            } report: { _ in
            }.best
        }
        let first = try best()
        loop.excluded = [first.plan]
        #expect(try best().predicted > first.predicted)
        #expect(throws: SearchError.self) {
            _ = try loop.run(table) { _ in
                first.plan
            } measure: { plan in
                comparison(20 / table.predict(plan))
            } report: { _ in
            }
        }
    }

    @Test("an error in a measurement stops the loop")
    func stops() {
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            _ = try ClosedLoop(target: 2).run(table) { _ in
                Plan(keepingAllOf: table.shape)
            } measure: { _ in
                throw Stop()
            } report: { _ in
            }
        }
    }
}

private func timing(_ seconds: Double) -> Timing {
    Timing(seconds: seconds, low: seconds, high: seconds, samples: 9)
}
