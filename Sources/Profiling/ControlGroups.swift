internal import Foundation

/// The limits of the Linux control groups of this process, for versions 1 and 2.
///
/// A limit also holds for all groups below its group. So the limit is the minimum over the groups
/// from the process's group up to the mounted root. Formats: `man 7 cgroups`,
/// `man 5 proc_pid_mountinfo`, and the kernel's `admin-guide/cgroup-v1` and `cgroup-v2`.
struct ControlGroups: Equatable {
    /// The processor time that may be used, in CPUs, such as 1.5; nil without a limit.
    private(set) var cpus: Double?
    /// The maximum number of bytes of memory; nil without a limit.
    private(set) var memoryBytes: Int?

    /// Reads the limits of this process.
    ///
    /// - Parameter root: The folder that contains `proc` and `sys`; empty for the system's root.
    init(root: String = "") {
        let groups = Self.lines(root + "/proc/self/cgroup").compactMap(Group.init)
        for mount in Self.lines(root + "/proc/self/mountinfo").compactMap(Mount.init) {
            guard let group = groups.first(where: { mount.holds($0) }) else { continue }
            for folder in mount.folders(of: group) {
                let isSecond = mount.controllers.isEmpty
                read(root + folder, isSecond)
            }
        }
    }

    private mutating func read(_ folder: String, _ isSecond: Bool) {
        let quota: [Substring]
        if isSecond {
            quota = Self.words(folder + "/cpu.max")
        } else {
            quota = ["quota", "period"].flatMap { Self.words("\(folder)/cpu.cfs_\($0)_us") }
        }
        if quota.count == 2, let time = Double(quota[0]), let period = Double(quota[1]),
            time > 0, period > 0
        {
            cpus = min(cpus ?? .infinity, time / period)
        }
        let memory = Self.words(folder + (isSecond ? "/memory.max" : "/memory.limit_in_bytes"))
        if let bytes = memory.first.flatMap({ Int($0) }), bytes > 0 {
            memoryBytes = min(memoryBytes ?? .max, bytes)
        }
    }

    private static func lines(_ path: String) -> [Substring] {
        ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n")
    }

    private static func words(_ path: String) -> [Substring] {
        lines(path).first?.split(separator: " ") ?? []
    }
}

/// A group that the process is in.
private struct Group {
    /// The controllers in version 1; empty in version 2.
    let controllers: Set<Substring>
    let path: Substring

    /// Reads a line such as `4:cpu,cpuacct:/a/b`, or in version 2 `0::/a/b`.
    init?(_ line: Substring) {
        let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        (controllers, path) = (Set(parts[1].split(separator: ",")), parts[2])
    }
}

/// A mounted hierarchy of groups.
private struct Mount {
    /// The controllers in version 1; empty in version 2.
    let controllers: Set<Substring>
    /// The group that is mounted.
    private let root: String
    /// The directory of the mount.
    private let place: String

    /// Reads a line such as `35 31 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu`; nil for
    /// other file systems.
    init?(_ line: Substring) {
        let words = line.split(separator: " ")
        guard let dash = words.firstIndex(of: "-"), dash >= 5, words.count > dash + 1 else {
            return nil
        }
        switch words[dash + 1] {
        case "cgroup": controllers = Set((words.last ?? "").split(separator: ","))
        case "cgroup2": controllers = []
        default: return nil
        }
        (root, place) = (Self.unescaped(words[3]), Self.unescaped(words[4]))
    }

    func holds(_ group: Group) -> Bool {
        controllers.isEmpty
            ? group.controllers.isEmpty
            : ["cpu", "memory"].contains {
                controllers.contains($0) && group.controllers.contains($0)
            }
    }

    /// The directories of a group and of the groups above it that are mounted.
    func folders(of group: Group) -> [String] {
        let (whole, mounted) = (group.path.split(separator: "/"), root.split(separator: "/"))
        // If the group is outside the mounted part, as in most containers, only the mounted
        // directory is visible.
        let isInside = whole.starts(with: mounted) && !whole.contains("..")
        let inside = isInside ? whole.dropFirst(mounted.count) : []
        return (0...inside.count).map {
            ([place] + inside.prefix($0).map(String.init)).joined(separator: "/")
        }
    }

    /// A path with its octal escapes replaced; spaces, for example, are written as `\040`.
    private static func unescaped(_ text: Substring) -> String {
        let parts = text.split(separator: "\\", omittingEmptySubsequences: false)
        return parts.dropFirst().reduce(String(parts.first ?? "")) { path, part in
            guard let code = UInt8(part.prefix(3), radix: 8) else { return path + "\\" + part }
            return path + String(UnicodeScalar(code)) + part.dropFirst(3)
        }
    }
}
