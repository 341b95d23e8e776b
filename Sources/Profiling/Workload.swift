internal import CHost
public import Tensors
public import Transformers

/// One environment's work in the built-in runtime, for any model of one family of shapes.
public struct Workload: Stopwatch {
    /// The conditions.
    public let environment: Environment
    /// The dense model.
    public let dense: Model

    private let batch: TokenBatch
    /// What is decoded, token after token; empty where any one will do.
    private let text: [Int32]
    private var step = 0
    private let capacity: Int
    private var pass: ForwardPass
    private var caches: [[Int]: KeyValueCache] = [:]
    private var logits = Activations()
    /// What takes the weights' place in the caches; nil where they are no matter.
    private let otherMemory: MemoryProbe?
    /// How many caches are kept for models of other attention.
    private let cacheLimit: Int

    /// The shortest time that one sample should take: a moment's disturbance must not be half of it.
    private static let leastSeconds = 2e-3

    /// A run as long as this leaves the caches as the next one finds them, and counts itself.
    private static let longSeconds = 0.1

    /// The least bytes that drive weights out of the caches, where their size is not known.
    private static let leastOtherBytes = 32 << 20

    /// The most bytes of keys and values to keep, past what one model needs.
    private static let cacheBytes = 1 << 30

    /// The least share of the threads' time that must have been theirs: they spin while they wait,
    /// so whatever is missing was taken by other programs.
    private static let leastShare = 0.95

    /// Prepares the work of an environment.
    ///
    /// - Parameters:
    ///   - environment: The conditions.
    ///   - model: The dense model, which also warms the machine up.
    ///   - clearsCaches: Whether other memory is read ahead of every decode step of a model that is
    ///     larger than a core's cache, as models are compared; not for one that runs on and on.
    ///   - text: For decoding, tokens of a text to decode behind the environment's context, longer
    ///     than that: models that leave out what a token does not need take as long as the text makes
    ///     them. Others take equally long with any. Several sequences begin at different places.
    ///   - engine: What the work runs on; its threads are the environment's.
    /// - Throws: ``ProfileError`` where the model cannot do such work.
    public init(
        _ environment: Environment, model: Model, clearsCaches: Bool = true, text: [Int32] = [],
        engine: Engine
    ) throws(ProfileError) {
        try environment.check(against: model.shape)
        precondition(
            text.isEmpty
                || environment.phase == .decode && text.count > environment.sequence,
            "a text to decode")
        self.text = text
        precondition(model.precision == environment.precision, "precision of another environment")
        self.environment = environment
        dense = model
        // What fits a core's own cache stays there whatever else is read.
        let isStreamed = model.streamedBytes > Int(host_cache_bytes(2))
        otherMemory =
            clearsCaches && environment.phase == .decode && isStreamed
            ? MemoryProbe(bytes: max(Self.leastOtherBytes, Int(host_cache_bytes(3)))) : nil
        pass = ForwardPass(model, on: engine)
        pass.isGreedy = true
        let vocabulary = Int32(model.shape.vocabularySize)
        var random = SplitMix64(seed: 1)
        let length = environment.phase == .decode ? 1 : environment.sequence
        batch = TokenBatch(
            (0..<environment.batch).map { _ in
                (0..<length).map { _ in Int32.random(in: 0..<vocabulary, using: &random) }
            })
        capacity = max(
            text.count, environment.sequence + (environment.phase == .decode ? 1 : 0))
        let width = model.shape.layers.reduce(0) {
            $0 + $1.keyValueHeads * model.shape.headDimension
        }
        let bytes = 2 * MemoryLayout<Float>.size * environment.batch * capacity * max(1, width)
        cacheLimit = 1 + Self.cacheBytes / bytes
        for _ in 0..<3 { _ = sample(model) }
        let output = environment.phase == .encode ? pass.hiddenStates(of: batch) : logits
        for row in 0..<output.rows where firstOutside(output.row(row)) != nil {
            throw ProfileError(
                file: "the model", field: "output", problem: "holds NaN or infinity",
                remedy: "the checkpoint may be damaged, or its numbers overflow: use "
                    + "--precision f32")
        }
    }

    /// A model of a smaller shape, of which only the time means anything.
    public func standIn(_ shape: ModelShape) -> Model { dense.resized(to: shape) }

    /// Does the work once, or often enough for the clock, and says how long once takes.
    ///
    /// A decode step takes as long as memory does to bring the weights, and what the caches hold of
    /// them depends on what ran before: other memory does, ahead of every run, so that all weights
    /// of all models come from where they lie.
    public mutating func sample(_ model: Model) -> Sample {
        prepare(model) { workload, cache in
            guard let other = workload.otherMemory else {
                let first = workload.timed(1, &cache)
                guard first.seconds < Self.longSeconds else { return first }
                let repeats = (Self.leastSeconds / first.seconds).rounded(.up)
                return workload.timed(Int(repeats), &cache)
            }
            var (seconds, count, isTainted) = (0.0, 0, false)
            repeat {
                _ = workload.pass.engine.readAll(other)
                let run = workload.timed(1, &cache)
                seconds += run.seconds
                count += 1
                isTainted = isTainted || run.isTainted
            } while seconds < Self.leastSeconds
            return Sample(seconds: seconds / Double(count), isTainted: isTainted)
        }
    }

    /// Calls `body` with a cache for the model, which is to run.
    private mutating func prepare<Result>(
        _ model: Model, _ body: (inout Workload, inout KeyValueCache?) -> Result
    ) -> Result {
        pass.model = model
        let attention = model.shape.layers.map(\.keyValueHeads)
        var cache = caches.removeValue(forKey: attention)
        if environment.phase != .encode, cache == nil {
            cache = KeyValueCache(
                shape: model.shape, capacity: capacity, sequences: environment.batch)
            if text.isEmpty {
                cache?.fillRandomly(seed: 2)
            } else {
                pass.advance(
                    (0..<environment.batch).flatMap { sequence in
                        text.indices.map { token(at: $0, of: sequence) }
                    }, cache: &cache!, logits: &logits)
            }
        }
        let result = body(&self, &cache)
        if caches.count >= cacheLimit { _ = caches.popFirst() }
        caches[attention] = cache
        return result
    }

    private mutating func timed(_ repeats: Int, _ cache: inout KeyValueCache?) -> Sample {
        let busy = host_process_cpu_nanoseconds()
        let start = host_monotonic_nanoseconds()
        for _ in 0..<repeats { runOnce(&cache) }
        let wall = Double(max(1, host_monotonic_nanoseconds() - start))
        let used = Double(host_process_cpu_nanoseconds() - busy)
        let allowed = Allowance.current
        return Sample(
            seconds: wall * 1e-9 / Double(repeats),
            isTainted: used < Self.leastShare * wall
                * min(Double(min(environment.threads, allowed.cpus)), allowed.quota ?? .infinity))
    }

    private mutating func runOnce(_ cache: inout KeyValueCache?) {
        if cache == nil {
            _ = pass.hiddenStates(of: batch)
        } else {
            cache?.count = environment.phase == .decode ? environment.sequence : 0
            guard !text.isEmpty else {
                return pass.advance(batch.ids, cache: &cache!, logits: &logits)
            }
            cache!.count += step % (text.count - environment.sequence)
            step += 1
            pass.advance(
                (0..<environment.batch).map { token(at: cache!.count, of: $0) }, cache: &cache!,
                logits: &logits)
        }
    }

    /// A token of the text as a sequence has it, turned round to a place of its own.
    private func token(at place: Int, of sequence: Int) -> Int32 {
        text[(place + sequence * text.count / environment.batch) % text.count]
    }
}

extension Environment {
    /// Checks that a model can do the environment's work.
    ///
    /// - Parameter shape: The sizes of the model.
    /// - Throws: ``ProfileError`` naming the option to change.
    public func check(against shape: ModelShape) throws(ProfileError) {
        func fail(_ field: String, _ problem: String, _ remedy: String) -> ProfileError {
            ProfileError(file: "environment", field: field, problem: problem, remedy: remedy)
        }
        guard shape.architecture.isEncoder == (phase == .encode) else {
            throw fail(
                "phase", "\(phase.rawValue) does not fit a model of type \(shape.architecture)",
                shape.architecture.isEncoder ? "use --phase encode" : "use decode or prefill")
        }
        guard let runtime = Runtime(runtime) else {
            throw fail(
                "runtime", "\(runtime) is unknown",
                "use --runtime espalier, onnxruntime or command:'…'")
        }
        guard runtime != .onnxRuntime || precision == .f32 else {
            throw fail(
                "precision", "files for ONNX Runtime are in f32, not \(precision.rawValue)",
                "use --precision f32")
        }
        let needed = sequence + (phase == .decode ? 1 : 0)
        guard needed <= shape.maximumPositions else {
            throw fail(
                "sequence", "\(needed) positions exceed the model's \(shape.maximumPositions)",
                "use a shorter --sequence")
        }
    }
}
