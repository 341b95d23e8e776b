import Foundation
import Testing

@testable import Profiling

@Suite("Resources that a process may use")
struct AvailableResourcesTests {
    /// Returns the limits in invented files.
    private func groups(_ files: [String: String]) throws -> ControlGroups {
        let root = NSTemporaryDirectory() + "groups-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (path, text) in files {
            let url = URL(fileURLWithPath: root + "/" + path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return ControlGroups(root: root)
    }

    private let second = "28 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

    @Test("cgroup version 2: the lowest limit between the process's group and the root applies")
    func version2() throws {
        var files = [
            "proc/self/cgroup": "0::/a.slice/b\n",
            "proc/self/mountinfo": "21 1 8:1 / / rw - ext4 /dev/sda rw\n" + second,
            "sys/fs/cgroup/a.slice/b/cpu.max": "max 100000\n",
            "sys/fs/cgroup/a.slice/b/memory.max": "400000000\n",
            "sys/fs/cgroup/a.slice/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/a.slice/memory.max": "max\n",
            "sys/fs/cgroup/a.slice/other/cpu.max": "1000 100000\n",
        ]
        var limits = try groups(files)
        #expect(limits.cpus == 1.5 && limits.memoryBytes == 400_000_000)
        files["sys/fs/cgroup/a.slice/b/cpu.max"] = "50000 100000\n"
        files["sys/fs/cgroup/a.slice/memory.max"] = "300000000\n"
        limits = try groups(files)
        #expect(limits.cpus == 0.5 && limits.memoryBytes == 300_000_000)
    }

    @Test("in a container that sees only its own group, the limits of the mounted folder apply")
    func container() throws {
        for path in ["/", "/../elsewhere", "/docker/abc"] {
            let limits = try groups([
                "proc/self/cgroup": "0::\(path)\n", "proc/self/mountinfo": second,
                "sys/fs/cgroup/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/memory.max": "1000000\n",
            ])
            #expect(limits.cpus == 2 && limits.memoryBytes == 1_000_000)
        }
    }

    @Test("cgroup version 1: each controller has a hierarchy, which may be mounted at a group")
    func version1() throws {
        let limits = try groups([
            "proc/self/cgroup": "5:memory:/docker/abc/x\n4:cpu,cpuacct:/docker/abc\n0::/\n",
            "proc/self/mountinfo": """
            35 31 0:32 /docker/abc /sys/fs/cgroup/cpu\\040a rw - cgroup cgroup rw,cpu,cpuacct
            36 31 0:33 /docker/abc /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory
            """,
            "sys/fs/cgroup/cpu a/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu a/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "314572800\n",
        ])
        #expect(limits.cpus == 1 && limits.memoryBytes == 314_572_800)
        let none = try groups([
            "proc/self/cgroup": "4:cpu:/\n",
            "proc/self/mountinfo": "35 31 0:32 / /cpu rw - cgroup cgroup rw,cpu\n",
            "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n",
        ])
        #expect(none.cpus == nil && none.memoryBytes == nil)
    }

    @Test("missing or invalid files set no limit")
    func damaged() throws {
        #expect(try groups([:]) == ControlGroups(root: "/no/such"))
        for text in ["", "x", "::", "0::", "-1 0", "1e999 1", "- - -", "\u{0}"] {
            let limits = try groups([
                "proc/self/cgroup": text + "\n0::/a\n", "proc/self/mountinfo": text + "\n" + second,
                "sys/fs/cgroup/cpu.max": text, "sys/fs/cgroup/a/memory.max": text,
            ])
            #expect(limits.cpus ?? 1 > 0 && limits.memoryBytes == nil)
        }
    }

    @Test(
        "the number of threads is the quota rounded down, from 1 to the number of CPUs",
        arguments: quotas)
    func threads(quota: Double?, threads: Int) throws {
        let text = quota.map { "\($0 * 100_000) 100000" } ?? "max 100000"
        let groups = try groups([
            "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": second,
            "sys/fs/cgroup/cpu.max": text, "sys/fs/cgroup/memory.max": "1000",
        ])
        let resources = AvailableResources(cpus: 4, memoryBytes: 5000, groups: groups)
        #expect(resources.threads == threads && resources.memoryBytes == 1000)
        #expect(!resources.fits(1))
        #expect(
            AvailableResources(cpus: 1, memoryBytes: 0, groups: try self.groups([:])).fits(.max))
    }

    private static let quotas: [(Double?, Int)] = [
        (nil, 4), (1.5, 1), (0.2, 1), (2, 2), (3.9, 3), (64, 4), (1e300, 4),
    ]

    @Test("the limits of this process can be read")
    func current() {
        let resources = AvailableResources.current
        #expect((1...Machine.current.cores).contains(resources.threads))
        #expect((1...Machine.current.memoryBytes).contains(resources.memoryBytes))
        #expect(resources.fits(1) && !resources.fits(1 << 60))
    }
}
