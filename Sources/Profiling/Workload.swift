internal import CHost
public import Tensors
public import Transformers

/// The work of one environment in the built-in runtime, for the models of one family of shapes.
public struct Workload: Stopwatch {
    /// The conditions.
    public let environment: InferenceEnvironment
    /// The dense model.
    public let dense: Model
    /// The formats that stand-ins can have, the environment's first.
    public let formats: [Precision]

    /// The dense model in each of the formats.
    private let models: [Precision: Model]
    /// The dense model with output heads in further formats.
    private let heads: [Precision: Model]
    /// The models that can have the same key-value cache.
    private struct CacheKey: Hashable {
        let heads: [Int]
        let haveIntegers: [Bool]
    }

    private let batch: TokenBatch
    /// The text that is decoded, token by token; empty to decode random tokens.
    private let text: [Int32]
    private var step = 0
    private let capacity: Int
    private var pass: ForwardPass
    private var caches: [CacheKey: KeyValueCache] = [:]
    private var logits = Activations()
    /// The memory that is read to evict weights from the caches; nil if that is not needed.
    private let otherMemory: MemoryProbe?
    /// The maximum number of key-value caches that are kept, one for each attention shape.
    private let cacheLimit: Int

    /// The minimum time of one sample, so that a short disturbance is a small part of it.
    private static let minimumSeconds = 2e-3

    /// A run of at least this time always leaves the caches in the same state, so a single run
    /// counts as a sample.
    private static let longSeconds = 0.1

    /// The minimum number of bytes to read to evict weights from the caches.
    private static let minimumOtherBytes = 32 << 20

    /// The maximum number of bytes of keys and values to keep, in addition to those of one model.
    private static let cacheBytes = 1 << 30

    /// The minimum fraction of the elapsed time for which the threads must run in an undisturbed
    /// sample.
    ///
    /// Threads spin while they wait, so the missing time was used by other programs.
    private static let minimumShare = 0.95

    /// Prepares the work of an environment.
    ///
    /// - Parameters:
    ///   - environment: The conditions.
    ///   - model: The dense model, which is also run to warm up the machine.
    ///   - clearsCaches: Whether other memory is read before every decode step of a model that is
    ///     larger than a core's cache, so that models can be compared. False for a model that
    ///     decodes continuously.
    ///   - text: For decoding, tokens of a text that is longer than the environment's context. The
    ///     time of a model with contextual sparsity depends on the text. The time of other models
    ///     does not. The sequences of a batch begin at different places.
    ///   - others: The same model in further formats, each format throughout.
    ///   - heads: The same model with output heads in further formats.
    ///   - engine: The engine; it has the environment's number of threads.
    /// - Throws: ``ProfileError`` if the model cannot do such work.
    public init(
        _ environment: InferenceEnvironment, model: Model, clearsCaches: Bool = true,
        text: [Int32] = [], others: [Precision: Model] = [:], heads: [Precision: Model] = [:],
        engine: Engine
    ) throws(ProfileError) {
        try environment.check(against: model.shape)
        precondition(
            text.isEmpty
                || environment.phase == .decode && text.count > environment.sequence,
            "the text must be longer than the context")
        self.text = text
        self.environment = environment
        dense = model
        models = others.merging([environment.precision: model]) { $1 }
        self.heads = heads
        formats =
            [environment.precision]
            + Precision.allCases.filter {
                $0 != environment.precision && others[$0] != nil
            }
        // A model that fits in a core's own cache is not evicted by reading other memory.
        let isStreamed = model.streamedBytes > Int(host_cache_bytes(2))
        otherMemory =
            clearsCaches && environment.phase == .decode && isStreamed
            ? MemoryProbe(bytes: max(Self.minimumOtherBytes, Int(host_cache_bytes(3)))) : nil
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
        let formats = models.values.map(\.formats)
        let token = formats.map { KeyValueCache.bytesOfToken(model.shape, formats: $0) }.max() ?? 0
        let bytes = environment.batch * capacity * max(1, token)
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

    /// The formats that output heads can have besides the heads of ``formats``.
    public var headFormats: [Precision] { Precision.allCases.filter { heads[$0] != nil } }

    /// A model of a smaller shape, for timing only.
    public func standIn(_ shape: ModelShape, formats: Formats) -> Model {
        let whole =
            formats.uniform.flatMap { models[$0] }
            ?? Model(choosingFrom: models, heads: heads, formats: formats)
        return whole.resized(to: shape)
    }

    /// Does the work once, or repeatedly if it is short, and returns the time of one run.
    ///
    /// The time of a decode step is the time to read the weights from memory. The part of the
    /// weights that is in a cache depends on what ran before. So other memory is read before every
    /// run. Then all weights of all models are read from memory.
    public mutating func sample(_ model: Model) -> Sample {
        prepare(model) { workload, cache in
            guard let other = workload.otherMemory else {
                let first = workload.timed(1, &cache)
                guard first.seconds < Self.longSeconds else { return first }
                let repeats = (Self.minimumSeconds / first.seconds).rounded(.up)
                return workload.timed(Int(repeats), &cache)
            }
            var (seconds, count, isDisturbed) = (0.0, 0, false)
            repeat {
                _ = workload.pass.engine.readAll(other)
                let run = workload.timed(1, &cache)
                seconds += run.seconds
                count += 1
                isDisturbed = isDisturbed || run.isDisturbed
            } while seconds < Self.minimumSeconds
            return Sample(seconds: seconds / Double(count), isDisturbed: isDisturbed)
        }
    }

    /// Calls `body` with a key-value cache for the model.
    private mutating func prepare<Result>(
        _ model: Model, _ body: (inout Workload, inout KeyValueCache?) -> Result
    ) -> Result {
        pass.model = model
        let key = CacheKey(
            heads: model.shape.layers.map(\.keyValueHeads),
            haveIntegers: model.formats.layers.map(\.attention.isInteger))
        var cache = caches.removeValue(forKey: key)
        if environment.phase != .encode, cache == nil {
            cache = KeyValueCache(for: model, capacity: capacity, sequences: environment.batch)
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
        caches[key] = cache
        return result
    }

    private mutating func timed(_ repeats: Int, _ cache: inout KeyValueCache?) -> Sample {
        let busy = host_process_cpu_nanoseconds()
        let start = host_monotonic_nanoseconds()
        for _ in 0..<repeats { runOnce(&cache) }
        let wall = Double(max(1, host_monotonic_nanoseconds() - start))
        let used = Double(host_process_cpu_nanoseconds() - busy)
        let allowed = AvailableResources.current
        return Sample(
            seconds: wall * 1e-9 / Double(repeats),
            isDisturbed: used < Self.minimumShare * wall
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

    /// A token of the text for a sequence.
    ///
    /// Each sequence starts at a different place in the text and wraps around at its end.
    private func token(at place: Int, of sequence: Int) -> Int32 {
        text[(place + sequence * text.count / environment.batch) % text.count]
    }
}

extension InferenceEnvironment {
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
