public import Profiling
internal import Reporting
public import Tensors
internal import Transformers

/// The conditions under which a model is timed; those left open follow from the model.
public struct EnvironmentOptions: Sendable {
    /// What is timed; nil for `encode` of encoders and `decode` of decoders.
    public var phase: Phase?
    /// How many sequences are computed at once.
    public var batch = 1
    /// Tokens of a sequence, or cached context of a decode step; nil for 128 to encode, 512 to
    /// prefill, 256 to decode, or the model's positions if these are fewer.
    public var sequence: Int?
    /// How many threads compute; by default as many as this process may use CPUs at once.
    public var threads = Self.defaultThreads
    /// How weights are stored and products computed.
    public var precision = Precision.f32
    /// The runtime of the model: `espalier`; `onnxruntime`, in f32 in the Python that the variable
    /// `ESPALIER_PYTHON` names; or `command:` and a shell command, which is given a model's
    /// directory and prints seconds.
    public var runtime = Runtime.builtIn.name

    /// The default conditions.
    public init() {}

    /// How many CPUs this process may use at once, at most 1024.
    public static var defaultThreads: Int { min(1024, Allowance.current.threads) }

    /// The conditions for a model of a shape, checked against it.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the model.
    ///   - more: The bytes that the job takes in addition to the model and its work.
    /// - Returns: The conditions.
    /// - Throws: `ProfileError` where the model cannot do such work, or there is too little memory.
    func environment(
        for shape: ModelShape, adding more: Int = 0
    ) throws(ProfileError) -> Environment {
        let phase = phase ?? (shape.architecture.isEncoder ? .encode : .decode)
        let usual: (length: Int, longest: Int) =
            switch phase {
            case .encode: (128, shape.maximumPositions)
            case .prefill: (512, shape.maximumPositions)
            case .decode: (256, shape.maximumPositions - 1)
            }
        let environment = Environment(
            phase: phase, batch: batch, sequence: sequence ?? min(usual.length, usual.longest),
            threads: threads, precision: precision, runtime: runtime)
        try environment.check(against: shape)
        try environment.checkMemory(for: shape, adding: more)
        return environment
    }
}

extension Environment {
    /// The memory of a process before it reads a model.
    private static let baseBytes = 48 << 20

    /// Refuses work that cannot fit the memory that this process may use: weights, the largest of
    /// them once more while it is read, and caches and activations in f32.
    func checkMemory(for shape: ModelShape, adding more: Int) throws(ProfileError) {
        let tokens = Double(batch) * Double(phase == .decode ? 1 : sequence)
        let cached = phase == .encode ? 0 : Double(batch) * Double(sequence + 1)
        let width = Double(shape.headDimension)
        var floats = Double(shape.parameters) * Double(precision.bits) / 32
        floats += tokens * 4 * Double(shape.hiddenSize)
        for layer in shape.layers { floats += cached * 2 * Double(layer.keyValueHeads) * width }
        floats += tokens * Double(shape.layers.map(\.feedForward).max() ?? 0)
        let there = Allowance.current.memoryBytes
        let largest = Double(shape.vocabularySize) * Double(shape.hiddenSize)
        let needed = 4 * (floats + largest) + Double(more + Self.baseBytes)
        guard there > 0, needed > Double(there) else { return }
        throw ProfileError(
            file: "environment", field: "memory",
            problem: "it takes at least \(Figures.shortBytes(Int(min(needed, 1e18)))), "
                + "but this process may use \(Figures.shortBytes(there))",
            remedy: "use a smaller --batch, --sequence or model, or allow it more memory")
    }

    /// The conditions in a few words, such as `decode, batch 1, context 256, 2 threads, f32`.
    package var summary: String {
        let length = phase == .decode ? "context" : "sequence"
        return "\(phase.rawValue), batch \(batch), \(length) \(sequence), "
            + "\(threads) thread\(threads == 1 ? "" : "s"), \(precision.rawValue)"
            + (runtime == Runtime.builtIn.name ? "" : ", \(runtime)")
    }
}
