import CommandLine
import Pipeline
import Profiling
import Reporting
import Tensors

extension EnvironmentOptions {
    /// Reads the options, a group of their own.
    init(_ arguments: inout Arguments) throws(UsageError) {
        self.init()
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
}
