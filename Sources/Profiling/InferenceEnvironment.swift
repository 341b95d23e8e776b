public import Tensors

/// The work that a transformer does while it is timed.
public enum Phase: String, Codable, Hashable, Sendable, CaseIterable {
    /// One pass over complete sequences, in which every token attends to all tokens.
    case encode
    /// One causal pass over complete prompts.
    case prefill
    /// One new token for each sequence, after a context in the key-value cache.
    case decode
}

/// The conditions of a timing.
///
/// Times can only be compared within one environment.
public struct InferenceEnvironment: Codable, Hashable, Sendable {
    /// The work of the model.
    public var phase: Phase
    /// The number of sequences in a batch.
    public var batch: Int
    /// The number of tokens of each sequence; for `decode`, of the context before the new token.
    public var sequence: Int
    /// The number of threads.
    public var threads: Int
    /// The format of the output head and of every component without its own format.
    public var precision: Precision
    /// The name of the program that runs the model, as in ``Runtime/name``.
    public var runtime: String
    /// The instruction set of the built-in runtime's kernels; nil for other runtimes, and in
    /// profiles of versions that did not store it.
    public var instructionSet: String?
    /// The machine's short name.
    public var machine: String

    /// Creates an environment of this process.
    public init(
        phase: Phase, batch: Int, sequence: Int, threads: Int, precision: Precision,
        runtime: String = Runtime.builtIn.name, machine: String = Machine.current.slug
    ) {
        self.phase = phase
        self.batch = batch
        self.sequence = sequence
        self.threads = threads
        self.precision = precision
        self.runtime = runtime
        instructionSet = runtime == Runtime.builtIn.name ? InstructionSet.current : nil
        self.machine = machine
    }
}
