public import Tensors

/// What a transformer does while it is timed.
public enum Phase: String, Codable, Hashable, Sendable, CaseIterable {
    /// One pass over whole sequences, every token seeing every other.
    case encode
    /// One causal pass over whole prompts.
    case prefill
    /// One new token for each sequence, behind a context that is cached.
    case decode
}

/// The conditions of a timing; seconds are comparable only within one environment.
public struct Environment: Codable, Hashable, Sendable {
    /// What the model does.
    public var phase: Phase
    /// Sequences at once.
    public var batch: Int
    /// Tokens of each sequence; for `decode`, tokens of the context before the new one.
    public var sequence: Int
    /// Threads that compute.
    public var threads: Int
    /// How weights are stored and products computed.
    public var precision: Precision
    /// The program that runs the model, as ``Runtime`` spells it.
    public var runtime: String
    /// The machine's short name.
    public var machine: String

    /// Creates an environment.
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
        self.machine = machine
    }
}
