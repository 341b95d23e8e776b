import Console
import Pipeline
import Profiling
import Reporting
import Tensors

extension EnvironmentOptions {
    /// Reads the options, which are a separate group.
    init(_ arguments: inout Arguments) throws(UsageError) {
        self.init()
        arguments.group("Measuring")
        phase = try arguments.option(
            "--phase", .choice(),
            help: "The phase to time; by default encode for encoders, decode for decoders.")
        batch = try arguments.option(
            "--batch", .integer(in: 1...1024), default: 1, help: "Sequences in a batch.")
        sequence = try arguments.option(
            "--sequence", .integer(in: 1...(1 << 20)),
            help: "Tokens of a sequence, or of the context of a decode step; by default 128 for "
                + "encode, 512 for prefill, 256 for decode.")
        threads = try Self.threads(&arguments)
        precision = try Self.precision(&arguments)
        runtime = try arguments.option(
            "--runtime", .text.named("NAME"), default: Runtime.builtIn.name, isRare: true,
            help: "The runtime: espalier; onnxruntime, in f32, with the Python that "
                + "ESPALIER_PYTHON names; or command:'…', a command that gets a model's "
                + "directory and prints seconds.")
    }

    /// Reads `--precision`.
    static func precision(_ arguments: inout Arguments) throws(UsageError) -> Precision {
        try arguments.option(
            "--precision", .choice(), default: .f32,
            help: "The precision of weights and products.")
    }

    /// Reads `--threads`, and makes this process use the instruction set of `--instruction-set`.
    ///
    /// The default number of threads is the number of CPUs that this process may use at once.
    static func threads(_ arguments: inout Arguments) throws(UsageError) -> Int {
        try useInstructionSet(&arguments)
        let given = try arguments.option(
            "--threads", .integer(in: 1...1024),
            help: "The number of threads; by default the number of CPUs, or a container's quota "
                + "rounded down.")
        let allowed = AvailableResources.current
        guard let given else { return defaultThreads }
        guard given <= allowed.cpus else {
            throw UsageError(
                "--threads \(given): this process may run on \(allowed.cpus) "
                    + "CPU\(allowed.cpus == 1 ? "" : "s"); give at most that many")
        }
        if let quota = allowed.quota, given > allowed.threads {
            remark(
                "--threads \(given): this container's quota is \(Figures.significant(quota, digits: 2)) CPUs; "
                    + "--threads \(allowed.threads) is faster.")
        }
        return given
    }

    private static func useInstructionSet(_ arguments: inout Arguments) throws(UsageError) {
        let name = try arguments.option(
            "--instruction-set", .text.named("NAME"), isRare: true,
            help: "The instruction set of the kernels, such as avx512vnni, to compare it with "
                + "others; by default the fastest that the processor supports. "
                + "\(InstructionSet.emulated) emulates matrix units, slowly.")
        guard let name else { return }
        let known = InstructionSet.available + [InstructionSet.emulated]
        guard known.contains(name) else {
            throw UsageError(
                "--instruction-set \(name): this processor supports "
                    + known.joined(separator: ", "))
        }
        InstructionSet.use(name)
    }
}
