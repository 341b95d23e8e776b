internal import CHost

/// What this process may use of the machine: containers and limits of the shell leave it less than
/// there is.
public struct Allowance: Sendable, Equatable {
    /// The CPUs that its threads may run on.
    public let cpus: Int
    /// How many CPUs' time its control groups grant, such as 1.5; nil where they grant all.
    public let quota: Double?
    /// The most bytes of memory, 0 when unknown.
    public let memoryBytes: Int

    /// What this process may use, found out once, when first asked for.
    public static let current = Allowance(
        cpus: Machine.current.cores, memoryBytes: Machine.current.memoryBytes,
        groups: ControlGroups())

    init(cpus: Int, memoryBytes: Int, groups: ControlGroups) {
        self.cpus = cpus
        quota = groups.cpus
        let limits = [memoryBytes, groups.memoryBytes ?? 0, Int(clamping: host_memory_limit())]
        self.memoryBytes = limits.filter { $0 > 0 }.min() ?? 0
    }

    /// How many threads compute at once without being stopped: all of the quota that is whole CPUs,
    /// because a thread that is stopped makes all others wait; at least one.
    public var threads: Int { max(1, min(cpus, Int(min(quota ?? 1e6, 1e6)))) }

    /// Whether so many more bytes of memory fit beside what the process holds already.
    public func fits(_ bytes: Int) -> Bool {
        guard memoryBytes > 0 else { return true }
        let free = memoryBytes - Int(clamping: host_resident_bytes())
        if bytes <= free { return true }
        // Part of what it holds may be memory that was freed.
        host_release_freed_memory()
        return bytes <= memoryBytes - Int(clamping: host_resident_bytes())
    }
}
