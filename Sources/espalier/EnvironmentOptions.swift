import CommandLine
import Profiling
import Tensors
import Transformers

/// The options that say under which conditions a model is timed.
struct EnvironmentOptions {
    private let phase: Phase?
    private let batch: Int
    private let sequence: Int?
    private let threads: Int
    /// How weights are stored.
    let precision: Precision
    private let runtime: String

    /// Reads the options, a group of their own; what depends on the model is settled once its shape is known.
    init(_ arguments: inout Arguments) throws(UsageError) {
        arguments.group("Measuring")
        phase = try arguments.option(
            "--phase", .choice(),
            help: "What is timed: by default encode of encoders, decode of decoders.")
        batch = try arguments.option(
            "--batch", .integer(in: 1...1024), default: 1, help: "Sequences at once.")
        sequence = try arguments.option(
            "--sequence", .integer(in: 1...(1 << 20)),
            help: "Tokens, or cached context of a decode step; by default 128 to encode, "
                + "512 to prefill, 256 to decode.")
        threads = try Self.threads(&arguments)
        precision = try Self.precision(&arguments)
        runtime = try arguments.option(
            "--runtime", .text.named("NAME"), default: Runtime.builtIn.name, isRare: true,
            help: "What runs the model: espalier; onnxruntime, in f32 in the Python that "
                + "ESPALIER_PYTHON names; or command:'…', which is given a model's directory and "
                + "prints seconds.")
    }

    /// Reads `--precision`.
    static func precision(_ arguments: inout Arguments) throws(UsageError) -> Precision {
        try arguments.option(
            "--precision", .choice(), default: .f32,
            help: "How weights are stored and products computed.")
    }

    /// Reads `--threads`, by default as many as this process may use CPUs at once.
    static func threads(_ arguments: inout Arguments) throws(UsageError) -> Int {
        let given = try arguments.option(
            "--threads", .integer(in: 1...1024),
            help: "Threads that compute; by default all CPUs, or as many as a container's quota "
                + "has whole CPUs.")
        let allowed = Allowance.current
        guard let given else { return min(1024, allowed.threads) }
        guard given <= allowed.cpus else {
            throw UsageError(
                "--threads \(given): this process may run on \(allowed.cpus) "
                    + "CPU\(allowed.cpus == 1 ? "" : "s"); give at most that many")
        }
        if let quota = allowed.quota, given > allowed.threads {
            remark(
                "--threads \(given): this container's quota is \(Human.significant(quota, digits: 2)) CPUs; "
                    + "--threads \(allowed.threads) is faster.")
        }
        return given
    }

    /// The conditions for a model of a shape, checked against it.
    ///
    /// A length that the user left open is cut to the model's positions.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the model.
    ///   - more: The bytes that the command takes beside the work itself.
    /// - Returns: The conditions.
    /// - Throws: `ProfileError` where the model cannot do such work, or there is too little memory.
    func environment(
        for shape: ModelShape, beside more: Int = 0
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
        try environment.checkMemory(for: shape, beside: more)
        return environment
    }
}

extension Environment {
    /// What a process takes before it reads a model.
    private static let baseBytes = 48 << 20

    /// Refuses work that cannot fit the memory that this process may use: weights, the largest of
    /// them once more while it is read, and caches and activations in f32.
    fileprivate func checkMemory(for shape: ModelShape, beside more: Int) throws(ProfileError) {
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
            problem: "it takes at least \(Human.bytes(Int(min(needed, 1e18)))), "
                + "but this process may use \(Human.bytes(there))",
            remedy: "use a smaller --batch, --sequence or model, or allow it more memory")
    }

    /// The conditions in a few words, such as `decode, batch 1, context 256, 2 threads, f32`.
    var summary: String {
        let length = phase == .decode ? "context" : "sequence"
        return "\(phase.rawValue), batch \(batch), \(length) \(sequence), "
            + "\(threads) thread\(threads == 1 ? "" : "s"), \(precision.rawValue)"
            + (runtime == Runtime.builtIn.name ? "" : ", \(runtime)")
    }
}
