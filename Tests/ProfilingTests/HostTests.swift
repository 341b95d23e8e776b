import CHost
import Foundation
import Testing

private func usableCPUs() -> [Int32] {
    var ids = [Int32](repeating: -1, count: 8192)
    let count = host_usable_cpus(&ids, ids.count)
    return Array(ids.prefix(count))
}

@Suite("Host")
struct HostTests {
    @Test("the usable CPUs are listed in ascending order, up to the requested number")
    func cpus() {
        let ids = usableCPUs()
        #expect(!ids.isEmpty && ids.allSatisfy { $0 >= 0 } && Set(ids).count == ids.count)
        #expect(ids == ids.sorted())
        #expect(host_usable_cpus(nil, 0) == ids.count)
        var few: [Int32] = [-1, -1]
        _ = host_usable_cpus(&few, 1)
        #expect(few == [ids[0], -1])
    }

    #if os(Linux)
        @Test("the list of CPUs agrees with the list of the kernel")
        func kernel() throws {
            let text = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
            let flags = Set(text.split { $0 == " " || $0 == "\n" || $0 == "\t" }.map(String.init))
            var buffer = [CChar](repeating: 0, count: 512)
            let length = host_processor_features(&buffer, buffer.count)
            let features = String(decoding: buffer.prefix(length).map(UInt8.init), as: UTF8.self)
            #if arch(x86_64)
                let kernelNames = [
                    "avx-vnni": "avx_vnni", "avx512-vnni": "avx512_vnni",
                    "avx512-bf16": "avx512_bf16", "avx512-fp16": "avx512_fp16",
                    "amx-tile": "amx_tile", "amx-int8": "amx_int8", "amx-bf16": "amx_bf16",
                ]
                let found = Set(features.split(separator: " ").map(String.init))
                for name in [
                    "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512dq",
                    "avx512vl",
                ] + kernelNames.keys {
                    #expect(found.contains(name) == flags.contains(kernelNames[name] ?? name))
                }
            #else
                #expect(!features.isEmpty)
            #endif
        }
    #endif

    @Test("texts are cut to the capacity")
    func texts() {
        for write in [host_processor_brand, host_processor_features] {
            var buffer = [CChar](repeating: 77, count: 8)
            let length = write(&buffer, 5)
            #expect(length < 5 && buffer[length] == 0 && buffer[5...] == [77, 77, 77])
            #expect(write(&buffer, 0) == 0)
        }
    }

    @Test("clocks advance, and the process clock advances with work")
    func clocks() {
        let (wall, cpu) = (host_monotonic_nanoseconds(), host_process_cpu_nanoseconds())
        // Other threads of the process may use the whole millisecond at once.
        var last = cpu
        while last < cpu + 1_000_000 {
            let now = host_process_cpu_nanoseconds()
            #expect(now >= last)
            last = now
        }
        #expect(host_monotonic_nanoseconds() > wall)
    }

    @Test("touched memory is counted")
    func memory() {
        let bytes = [UInt8](repeating: 1, count: 64 << 20)
        #expect(host_peak_resident_bytes() >= 64 << 20)
        #expect(host_peak_resident_bytes() <= host_memory_bytes())
        #expect(bytes[bytes.count - 1] == 1)
        #expect(host_cache_bytes(0) == 0 && host_cache_bytes(9) == 0)
    }

    @Test("advice on any memory is harmless", arguments: [0, 1, 4095, 4096, 8192, 1 << 22])
    func advice(count: Int) {
        var bytes = [UInt8](repeating: 7, count: count + 1)
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            _ = host_advise_huge_pages(base + 1, count)
        }
        #expect(bytes.allSatisfy { $0 == 7 })
    }
}
