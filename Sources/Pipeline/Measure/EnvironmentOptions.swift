public import Profiling
internal import Reporting
public import Tensors
internal import Transformers

/// The conditions under which a model is timed; conditions that are nil follow from the model.
public struct EnvironmentOptions: Sendable {
    /// The phase that is timed; nil for `encode` for encoders and `decode` for decoders.
    public var phase: Phase?
    /// The number of sequences that are computed together.
    public var batch = 1
    /// The number of tokens of a sequence, or of the cached context of a decode step.
    ///
    /// If it is nil, it is 128 for encoding, 512 for prefill and 256 for decoding, limited to the
    /// model's positions.
    public var sequence: Int?
    /// The number of threads; by default the number of CPUs that this process may use at once.
    public var threads = Self.defaultThreads
    /// The precision in which weights are stored and products are computed.
    public var precision = Precision.f32
    /// The runtime of the model: `espalier`, `onnxruntime`, or `command:` and a shell command.
    ///
    /// `onnxruntime` computes in f32, in the Python that the variable `ESPALIER_PYTHON` names. A
    /// command gets a model's directory and prints seconds.
    public var runtime = Runtime.builtIn.name

    /// The default conditions.
    public init() {}

    /// The number of CPUs that this process may use at once, at most 1024.
    public static var defaultThreads: Int { min(1024, AvailableResources.current.threads) }

    /// Returns the conditions for a model of a shape, after a check that the model supports them.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the model.
    ///   - more: The bytes that the job needs in addition to the model and its work.
    /// - Returns: The conditions.
    /// - Throws: `ProfileError` if the model cannot do such work, or there is not enough memory.
    func environment(
        for shape: ModelShape, adding more: Int = 0
    ) throws(ProfileError) -> InferenceEnvironment {
        let phase = phase ?? (shape.architecture.isEncoder ? .encode : .decode)
        let usual: (length: Int, longest: Int) =
            switch phase {
            case .encode: (128, shape.maximumPositions)
            case .prefill: (512, shape.maximumPositions)
            case .decode: (256, shape.maximumPositions - 1)
            }
        let environment = InferenceEnvironment(
            phase: phase, batch: batch, sequence: sequence ?? min(usual.length, usual.longest),
            threads: threads, precision: precision, runtime: runtime)
        try environment.check(against: shape)
        try environment.checkMemory(for: shape, adding: more)
        return environment
    }
}

extension InferenceEnvironment {
    /// The memory of a process before it reads a model.
    private static let baseBytes = 48 << 20

    /// Refuses work that needs more memory than this process may use.
    ///
    /// Memory is needed for the weights, for the largest tensor in f32 while it is read, for caches,
    /// and for activations in f32.
    func checkMemory(for shape: ModelShape, adding more: Int) throws(ProfileError) {
        let tokens = Double(batch) * Double(phase == .decode ? 1 : sequence)
        let cached = phase == .encode ? 0 : Double(batch) * Double(sequence + 1)
        var floats = Double(precision.weightBytes(of: shape)) / 4
        floats += tokens * 4 * Double(shape.hiddenSize)
        let formats = Formats(uniform: precision, layers: shape.layers.count)
        floats += cached / 4 * Double(KeyValueCache.bytesOfToken(shape, formats: formats))
        floats += tokens * Double(shape.layers.map(\.feedForward).max() ?? 0)
        let available = AvailableResources.current.memoryBytes
        let largest = Double(shape.vocabularySize) * Double(shape.hiddenSize)
        let needed = 4 * (floats + largest) + Double(more + Self.baseBytes)
        guard available > 0, needed > Double(available) else { return }
        throw ProfileError(
            file: "environment", field: "memory",
            problem: "it takes at least \(Figures.shortBytes(Int(min(needed, 1e18)))), "
                + "but this process may use \(Figures.shortBytes(available))",
            remedy: "use a smaller --batch, --sequence or model, or allow the process more memory")
    }

    /// A short description of the conditions, such as `decode, batch 1, context 256, 2 threads,
    /// f32, amx`; `amx` is the instruction set.
    package var summary: String {
        let length = phase == .decode ? "context" : "sequence"
        return "\(phase.rawValue), batch \(batch), \(length) \(sequence), "
            + "\(threads) thread\(threads == 1 ? "" : "s"), \(precision.rawValue)"
            + (runtime == Runtime.builtIn.name ? "" : ", \(runtime)")
            + (instructionSet.map { ", \($0)" } ?? "")
    }
}
