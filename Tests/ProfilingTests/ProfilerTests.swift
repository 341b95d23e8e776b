import Tensors
import Testing
import Transformers

@testable import Profiling

/// The sizes and formats of a model whose time is known.
private struct KnownModel {
    let shape: ModelShape
    let formats: Formats
}

/// A simulated runtime.
///
/// A time is a sum of known parts, times the current speed of the machine.
private struct KnownStopwatch: Stopwatch {
    let environment: InferenceEnvironment
    let dense: KnownModel
    /// The deviation of single samples, as a fraction.
    var noise = 0.0
    /// The factor by which the machine is slower, and the sample from which it is slower.
    var drift = (sample: Int.max, factor: 1.0)
    /// The probability that a sample is disturbed.
    ///
    /// A disturbed sample takes three times as long.
    var disturbance = 0.0

    /// The formats of models.
    var formats: [Precision] = [.f32]

    private(set) var samples = 0
    private var random = SplitMix64(seed: 7)

    init(_ dense: ModelShape) {
        self.dense = KnownModel(
            shape: dense, formats: Formats(uniform: .f32, layers: dense.layers.count))
        environment = InferenceEnvironment(
            phase: .decode, batch: 1, sequence: 128, threads: 2, precision: .f32)
    }

    /// Returns the seconds of a model.
    ///
    /// In f32, the base takes 2 ms, half of it in the output head. A key-value head takes 0.5 ms. A
    /// feed-forward block takes 1 ms for every 32 neurons, rounded up. The time of other formats is
    /// proportional to their bits.
    static func seconds(of shape: ModelShape, formats: Formats? = nil) -> Double {
        let formats = formats ?? Formats(uniform: .f32, layers: shape.layers.count)
        func share(_ format: Precision) -> Double { format.bits / 32 }
        return zip(shape.layers, formats.layers).reduce(1e-3 * (1 + share(formats.head))) {
            $0 + 0.5e-3 * Double($1.0.keyValueHeads) * share($1.1.attention)
                + 1e-3 * Double(($1.0.feedForward + 31) / 32) * share($1.1.feedForward)
        }
    }

    func standIn(_ shape: ModelShape, formats: Formats) -> KnownModel {
        KnownModel(shape: shape, formats: formats)
    }

    mutating func sample(_ model: KnownModel) -> Sample {
        samples += 1
        var seconds = Self.seconds(of: model.shape, formats: model.formats)
        if samples >= drift.sample { seconds *= drift.factor }
        seconds *= 1 + noise * Double.random(in: -1...1, using: &random)
        let isDisturbed = Double.random(in: 0..<1, using: &random) < disturbance
        return Sample(seconds: isDisturbed ? 3 * seconds : seconds, isDisturbed: isDisturbed)
    }
}

@Suite("Profiles of a machine whose times are known")
struct ProfilerTests {
    private func profile(_ watch: inout KnownStopwatch) throws -> Profiler.Result {
        var profiler = Profiler()
        profiler.timeLimit = 5
        return try profiler.profile(
            smallShape, with: &watch, on: smallMachine, created: "2025-01-01T00:00:00Z",
            version: "0.1.0")
    }

    /// Returns the largest error of a table's times relative to the time of the dense model, over
    /// all plans whose layers are equal.
    private func worstError(of table: LatencyTable) -> Double {
        let dense = KnownStopwatch.seconds(of: smallShape)
        var worst = 0.0
        for heads in 0...2 {
            for width in [0, 32, 64, 96] {
                let plan = Plan(
                    attention: [heads, heads, heads], feedForward: [width, width, width])
                let want = KnownStopwatch.seconds(of: smallShape.applying(plan))
                let predicted = table.predict(plan) / table.dense.seconds
                worst = max(worst, abs(predicted / (want / dense) - 1))
            }
        }
        return worst
    }

    @Test("times without noise are measured exactly")
    func exact() throws {
        var watch = KnownStopwatch(smallShape)
        let result = try profile(&watch)
        #expect(result.unconverged == 0)
        #expect(abs(result.table.dense.seconds - 14e-3) < 1e-12)
        #expect(abs(result.table.base.seconds - 2e-3) < 1e-12)
        #expect(worstError(of: result.table) < 0.02)
    }

    @Test("the times of all formats, and of plans that mix formats, are measured")
    func formats() throws {
        var watch = KnownStopwatch(smallShape)
        watch.formats = [.f32, .bf16, .int8]
        let table = try profile(&watch).table
        #expect(table.profiledFormats == [.f32, .bf16, .int8])
        #expect(abs((table.denseSeconds(in: .int8) ?? 0) - (1e-3 + 13e-3 / 4)) < 1e-6)
        #expect(abs(table.seconds(ofHeadIn: .int8) + 0.75e-3) < 1e-6)
        var plan = Plan(attention: [2, 1, 0], feedForward: [96, 64, 64])
        plan[Component(layer: 0, kind: .attention)].format = .int8
        plan[Component(layer: 2, kind: .feedForward)].format = .bf16
        plan.headFormat = .int8
        let want = KnownStopwatch.seconds(
            of: smallShape.applying(plan), formats: Formats(of: plan, otherwise: .f32))
        #expect(abs(table.predict(plan) / want - 1) < 0.03)
        let copy = try LatencyTable(json: try table.json(), file: "profile")
        #expect(copy == table)
        for plan in table.randomPlans(20, seed: 3) {
            let want = KnownStopwatch.seconds(
                of: smallShape.applying(plan), formats: Formats(of: plan, otherwise: .f32))
            #expect(abs(table.predict(plan) / want - 1) < 0.05)
        }
    }

    @Test("formats that are not faster than a more precise format are omitted")
    func fasterFormats() throws {
        var watch = KnownStopwatch(smallShape)
        watch.formats = [.f32, .f16, .bf16, .int8]
        #expect(try Profiler().fasterFormats(smallShape, with: &watch) == [.f16, .int8])
    }

    @Test("noise, a machine that becomes slower, and disturbed samples do not change the times")
    func robust() throws {
        var watch = KnownStopwatch(smallShape)
        watch.noise = 0.02
        watch.drift = (200, 1.4)
        watch.disturbance = 0.2
        let result = try profile(&watch)
        #expect(worstError(of: result.table) < 0.04)
    }

    @Test("uncertain entries are counted, and the time spent on them is limited")
    func uncertain() throws {
        var watch = KnownStopwatch(smallShape)
        watch.noise = 0.9
        var profiler = Profiler()
        profiler.timeLimit = 0.2
        let result = try profiler.profile(
            smallShape, with: &watch, on: smallMachine, created: "2025-01-01T00:00:00Z",
            version: "0.1.0")
        #expect(result.unconverged > 0)
    }

    @Test("a verification finds the error of a table")
    func verification() throws {
        var watch = KnownStopwatch(smallShape)
        let draft = try profile(&watch).table
        var profiler = Profiler()
        profiler.timeLimit = 5
        let verified = try profiler.verify(draft, plans: 12, with: &watch).table
        let entries = try #require(verified.verification).entries
        #expect(entries.count == 12)
        for entry in entries {
            #expect(abs(entry.predicted / entry.measured.seconds - 1) < 0.05)
        }
    }

    @Test("an error in the progress callback ends the profile")
    func stopping() {
        struct Stopped: Error {}
        var watch = KnownStopwatch(smallShape)
        #expect(throws: Stopped.self) {
            try Profiler().profile(
                smallShape, with: &watch, on: smallMachine, created: "", version: ""
            ) { _ in throw Stopped() }
        }
        #expect(watch.samples < 20)
    }
}
