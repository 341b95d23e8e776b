internal import CHost

/// The part of the machine that this process may use.
///
/// Containers and shell limits can make it smaller than the machine.
public struct AvailableResources: Sendable, Equatable {
    /// The number of CPUs on which the threads of this process may run.
    public let cpus: Int
    /// The processor time that the control groups of this process allow, in CPUs, such as 1.5; nil
    /// without a limit.
    public let quota: Double?
    /// The maximum number of bytes of memory; 0 if unknown.
    public let memoryBytes: Int

    /// The resources of this process, read once, on first use.
    public static let current = AvailableResources(
        cpus: Machine.current.cores, memoryBytes: Machine.current.memoryBytes,
        groups: ControlGroups())

    init(cpus: Int, memoryBytes: Int, groups: ControlGroups) {
        self.cpus = cpus
        quota = groups.cpus
        let limits = [memoryBytes, groups.memoryBytes ?? 0, Int(clamping: host_memory_limit())]
        self.memoryBytes = limits.filter { $0 > 0 }.min() ?? 0
    }

    /// The number of threads that can compute without being stopped, at least one.
    ///
    /// Only whole CPUs of the quota count, because all threads wait for a thread that is stopped.
    public var threads: Int { max(1, min(cpus, Int(min(quota ?? 1e6, 1e6)))) }

    /// Whether a number of bytes fits in memory in addition to the memory that the process already
    /// uses.
    public func fits(_ bytes: Int) -> Bool {
        guard memoryBytes > 0 else { return true }
        let free = memoryBytes - Int(clamping: host_resident_bytes())
        if bytes <= free { return true }
        // Part of the used memory may already be freed.
        host_release_freed_memory()
        return bytes <= memoryBytes - Int(clamping: host_resident_bytes())
    }
}
