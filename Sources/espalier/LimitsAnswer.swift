import CHost
import CommandLine
import Profiling
import Tensors
import Transformers

/// What the machine can do at most, and how near the kernels come to it.
///
/// A limit is measured right beside what is held to it, and a fraction is the median of such
/// pairs, so that changes of the machine's speed cancel out.
struct LimitsAnswer: Encodable {
    /// A median with the width of its 95 % confidence interval as a fraction of it.
    struct Figure: Encodable {
        let median: Double
        let spread: Double

        init(_ values: [Double]) {
            let statistics = Statistics(values)
            median = statistics.median
            let interval = statistics.medianInterval()
            spread = interval.map { ($0.upperBound - $0.lowerBound) / statistics.median } ?? 0
        }
    }

    /// A matrix product `[m, k] · [k, n]` on one thread.
    struct Product: Encodable {
        let m: Int
        let k: Int
        let n: Int
        /// Operations per second, a multiply-add being two.
        let rate: Figure
        let fractionOfPeak: Figure
    }

    /// One decode step.
    struct Decode: Encodable {
        /// Bytes of weights, keys and values read per second.
        let bytesPerSecond: Figure
        let fractionOfBandwidth: Figure
    }

    /// How the products' weights are stored.
    let precision: Precision
    /// Operations per second of that precision's multiply-adds on one thread.
    let arithmeticPeak: Figure
    /// Bytes per second that the environment's threads read from memory.
    let readBandwidth: Figure
    let products: [Product]
    /// Seconds that all threads take to begin and finish a piece of work; nil for one thread.
    let barrier: Figure?
    /// Nil where no decode step was asked for.
    let decode: Decode?
    let instructionSet: String

    /// Measures the limits, the products of its layers, and the model's decode step.
    ///
    /// - Parameters:
    ///   - model: The model that decodes.
    ///   - environment: The conditions of decoding and reading; products use one thread.
    ///   - engine: What to run on, of the environment's threads.
    ///   - tick: Called often; may throw to stop.
    /// - Throws: `ProfileError` where the model cannot do such work, or what `tick` throws.
    init(
        of model: Model, in environment: Environment, on engine: Engine, tick: () throws -> Void
    ) throws {
        instructionSet = engine.instructionSet
        let precision = environment.precision
        self.precision = precision
        let single = Engine(threads: 1)
        var peaks: [Double] = []
        products = try Self.products(of: model.shape).flatMap { layer in
            try Self.rows.map {
                try Self.product(
                    $0, layer.inputs, layer.outputs, precision, on: single, peaks: &peaks,
                    tick: tick)
            }
        }
        arithmeticPeak = Figure(peaks)

        barrier = environment.threads > 1 ? Self.barrier(of: engine) : nil

        let probe = MemoryProbe(bytes: MachineLimits.probeBytes)
        var workload =
            environment.phase == .decode
            ? try Workload(environment, model: model, clearsCaches: false, engine: engine) : nil
        let floats = model.shape.layers.reduce(0) {
            $0 + 2 * $1.keyValueHeads * model.shape.headDimension
        }
        let bytes =
            model.streamedBytes + MemoryLayout<Float>.size * floats * environment.batch
            * environment.sequence
        var (reads, steps): ([Double], [Double]) = ([], [])
        for _ in 0..<31 {
            let seconds = Self.time { _ = engine.readAll(probe) }
            reads.append(Double(probe.byteCount) / seconds)
            if let seconds = workload?.sample(model).seconds {
                steps.append(Double(bytes) / seconds)
            }
            try tick()
        }
        readBandwidth = Figure(reads)
        decode =
            steps.isEmpty
            ? nil
            : Decode(
                bytesPerSecond: Figure(steps),
                fractionOfBandwidth: Figure(zip(steps, reads).map { $0 / $1 }))
    }

    private static func barrier(of engine: Engine) -> Figure {
        let repeats = 1000
        return Figure(
            (0..<61).map { _ in
                time { for _ in 0..<repeats { engine.meet() } } / Double(repeats)
            })
    }

    /// How many rows are multiplied at once.
    private static let rows = [64, 128, 512]

    /// The sizes of a layer's products, each once; gates and ups are one product.
    private static func products(of shape: ModelShape) -> [(inputs: Int, outputs: Int)] {
        guard let layer = shape.layers.first else { return [] }
        let hidden = shape.hiddenSize
        let queries = layer.queryHeads * shape.headDimension
        let fused = queries + 2 * layer.keyValueHeads * shape.headDimension
        let up = layer.feedForward * (shape.architecture.layer.isGated ? 2 : 1)
        let all = [
            (hidden, fused), (queries, hidden), (hidden, up), (layer.feedForward, hidden),
        ]
        return all.indices.filter { index in
            all[index].0 > 0 && all[index].1 > 0
                && !all[..<index].contains { $0 == all[index] }
        }.map { all[$0] }
    }

    /// Times a product between two bursts of pure arithmetic of about a millisecond.
    private static func product(
        _ m: Int, _ k: Int, _ n: Int, _ precision: Precision, on engine: Engine,
        peaks: inout [Double],
        tick: () throws -> Void
    ) throws -> Product {
        let weights = PackedWeights(
            Matrix(randomRows: n, columns: k, seed: 1), precision: precision, in: Arena())
        let x = Activations(Matrix(randomRows: m, columns: k, seed: 2))
        var y = Activations()
        y.reshape(rows: m, columns: n)
        let operations = 2 * Double(m * k * n)
        let repeats = 200_000
        func burst(_ seed: Int) -> Double {
            let seconds = time {
                _ = engine.spinArithmetic(
                    repeats: repeats, precision: precision, seed: Float(seed))
            }
            return Double(2 * 384 * repeats * 32 / precision.bits) / seconds
        }
        for _ in 0..<10 { engine.linear(x, weights, into: &y) }
        var before = burst(0)
        var (rates, fractions): ([Double], [Double]) = ([], [])
        for round in 1...61 {
            let rate = operations / time { engine.linear(x, weights, into: &y) }
            let after = burst(round)
            rates.append(rate)
            fractions.append(2 * rate / (before + after))
            peaks.append(after)
            before = after
            try tick()
        }
        return Product(m: m, k: k, n: n, rate: Figure(rates), fractionOfPeak: Figure(fractions))
    }

    private static func time(_ body: () -> Void) -> Double {
        let start = host_monotonic_nanoseconds()
        body()
        return Double(max(1, host_monotonic_nanoseconds() - start)) * 1e-9
    }
}

extension LimitsAnswer {
    /// The limits as people read them.
    var text: String {
        var table = Table("limit", "rate", "±", "of limit")
        func add(_ name: String, _ rate: Figure, _ unit: String, of limit: Figure? = nil) {
            table.add(
                name, "\(Human.significant(rate.median / 1e9, digits: 4)) \(unit)",
                Human.percent(rate.spread / 2), limit.map { Human.percent($0.median) } ?? "–")
        }
        let unit = precision == .int8 ? "GOP/s" : "GFLOP/s"
        add(
            "\(precision.rawValue) multiply-adds, 1 thread, \(instructionSet)", arithmeticPeak, unit
        )
        for product in products {
            add(
                "product \(product.m) × \(product.k) × \(product.n)", product.rate, unit,
                of: product.fractionOfPeak)
        }
        if let barrier {
            table.add(
                "barrier of all threads", Human.duration(barrier.median, digits: 3),
                Human.percent(barrier.spread / 2), "–")
        }
        add("memory reads", readBandwidth, "GB/s")
        if let decode {
            add(
                "all that a step reads", decode.bytesPerSecond, "GB/s",
                of: decode.fractionOfBandwidth)
        }
        return table.rendered()
    }
}
