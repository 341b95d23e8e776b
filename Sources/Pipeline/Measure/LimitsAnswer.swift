internal import CHost
internal import Profiling
public import Tensors
internal import Transformers

/// The limits of the machine, and the fractions of them that the kernels reach.
///
/// A limit and the rate that is compared with it are measured one right after the other. A fraction
/// is the median of such pairs, so that changes of the machine's speed cancel out.
public struct LimitsAnswer: Encodable {
    /// A median, and the width of its 95 % confidence interval as a fraction of the median.
    public struct Figure: Encodable {
        /// The median.
        public let median: Double
        /// The width of the interval as a fraction of the median.
        public let spread: Double

        init(_ values: [Double]) {
            let statistics = Statistics(values)
            median = statistics.median
            let interval = statistics.medianInterval()
            spread = interval.map { ($0.upperBound - $0.lowerBound) / statistics.median } ?? 0
        }
    }

    /// A matrix product `[m, k] · [k, n]` on one thread.
    public struct Product: Encodable {
        /// Rows of the left matrix.
        public let m: Int
        /// Columns of the left matrix.
        public let k: Int
        /// Columns of the right matrix.
        public let n: Int
        /// Operations per second; a multiply-add is two operations.
        public let rate: Figure
        /// The rate as a fraction of the arithmetic peak.
        public let fractionOfPeak: Figure
    }

    /// One decode step.
    public struct Decode: Encodable {
        /// Bytes of weights, keys and values read per second.
        public let bytesPerSecond: Figure
        /// This rate as a fraction of the bandwidth.
        public let fractionOfBandwidth: Figure
    }

    /// How the products' weights are stored.
    public let precision: Precision
    /// The peak rate of multiply-adds in that precision on one thread, in operations per second.
    public let arithmeticPeak: Figure
    /// The rate at which the environment's threads read from memory, in bytes per second.
    public let readBandwidth: Figure
    /// The products of the model's layers.
    public let products: [Product]
    /// The time that all threads need to begin and finish a piece of work, in seconds; nil for
    /// one thread.
    public let barrier: Figure?
    /// The decode step; nil if none was requested.
    public let decode: Decode?
    /// The instruction set that the kernels use.
    public let instructionSet: String

    /// Measures the limits, the products of the model's layers, and its decode step.
    ///
    /// - Parameters:
    ///   - model: The model that decodes.
    ///   - environment: The conditions of decoding and reading; products use one thread.
    ///   - engine: The engine that runs the model, with the environment's threads.
    ///   - tick: Called often; it may throw to stop.
    /// - Throws: `ProfileError` if the model cannot do such work, or the error of `tick`.
    init(
        of model: Model, in environment: InferenceEnvironment, on engine: Engine,
        tick: () throws -> Void
    ) throws {
        instructionSet = InstructionSet.current
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
        let bytes =
            model.streamedBytes
            + KeyValueCache.bytesOfToken(model.shape, formats: model.formats) * environment.batch
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
                time { for _ in 0..<repeats { engine.barrier() } } / Double(repeats)
            })
    }

    /// The numbers of rows that are multiplied together.
    private static let rows = [64, 128, 512]

    /// The distinct sizes of a layer's products; gate and up projections are one product.
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

    /// Times a product.
    ///
    /// A burst of pure arithmetic of about a millisecond is timed before and after each product.
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
        let repeats = 200_000 / max(1, precision.unitInputs / 4)
        func burst(_ seed: Int) -> Double {
            let seconds = time {
                _ = engine.spinArithmetic(
                    repeats: repeats, precision: precision, seed: Float(seed))
            }
            return Double(2 * 384 * repeats * precision.unitInputs) / seconds
        }
        for _ in 0..<10 { engine.linear(x, weights, into: &y) }
        var before = burst(0)
        var (rates, fractions): ([Double], [Double]) = ([], [])
        for round in 1...61 {
            let rate = operations / time { engine.linear(x, weights, into: &y) }
            let after = burst(round)
            rates.append(rate)
            fractions.append(Self.fraction(rate, ofPeak: (before + after) / 2))
            peaks.append(after)
            before = after
            try tick()
        }
        return Product(m: m, k: k, n: n, rate: Figure(rates), fractionOfPeak: Figure(fractions))
    }

    /// The fraction of the peak that a rate reaches, at most 1.
    ///
    /// No product is faster than the peak. If a product was faster than the bursts beside it, other
    /// programs slowed down the bursts, and the rate is nearer to the peak than they are.
    static func fraction(_ rate: Double, ofPeak measured: Double) -> Double {
        rate / max(rate, measured)
    }

    private static func time(_ body: () -> Void) -> Double {
        let start = host_monotonic_nanoseconds()
        body()
        return Double(max(1, host_monotonic_nanoseconds() - start)) * 1e-9
    }
}
