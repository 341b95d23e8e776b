internal import CHost

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// The computer on which a profile was measured.
public struct Machine: Codable, Hashable, Sendable {
    /// The processor's name, or the kernel's identification of it.
    public var brand: String
    /// The microarchitecture of its cores, such as `zen5`; empty if unknown.
    public var microarchitecture: String
    /// The processor's architecture, such as `x86_64` or `arm64`.
    public var architecture: String
    /// The vector and matrix features that the processor and the system support.
    public var features: [String]
    /// The number of CPUs that this process may use.
    public var cores: Int
    /// The bytes of a core's first-level data cache; 0 if unknown.
    public var level1CacheBytes: Int
    /// The bytes of a core's second-level cache; 0 if unknown.
    public var level2CacheBytes: Int
    /// The bytes of the third-level cache that a core shares; 0 if absent or unknown.
    public var level3CacheBytes: Int
    /// The bytes of memory.
    public var memoryBytes: Int
    /// The measured memory read bandwidth in bytes per second; nil if it was not measured.
    public var memoryReadBandwidth: Double?
    /// The operating system and its version.
    public var operatingSystem: String

    /// Creates the description of a machine.
    public init(
        brand: String, microarchitecture: String, architecture: String, features: [String],
        cores: Int, level1CacheBytes: Int, level2CacheBytes: Int, level3CacheBytes: Int,
        memoryBytes: Int, memoryReadBandwidth: Double? = nil, operatingSystem: String
    ) {
        self.brand = brand
        self.microarchitecture = microarchitecture
        self.architecture = architecture
        self.features = features
        self.cores = cores
        self.level1CacheBytes = level1CacheBytes
        self.level2CacheBytes = level2CacheBytes
        self.level3CacheBytes = level3CacheBytes
        self.memoryBytes = memoryBytes
        self.memoryReadBandwidth = memoryReadBandwidth
        self.operatingSystem = operatingSystem
    }

    /// The machine of this process, read once, on first use.
    ///
    /// Use it before any thread is pinned, because a pinned thread sees only one core.
    public static let current: Machine = {
        var family: UInt32 = 0
        var model: UInt32 = 0
        host_processor_signature(&family, &model)
        let brand = text { host_processor_brand(&$0, $0.count) }
        let design = Microarchitecture.name(brand: brand, family: family, model: model)
        return Machine(
            brand: brand.isEmpty ? "\(architectureName) \(family):\(model)" : brand,
            microarchitecture: design ?? "", architecture: architectureName,
            features: text { host_processor_features(&$0, $0.count) }
                .split(separator: " ").map(String.init),
            cores: host_usable_cpus(nil, 0),
            level1CacheBytes: Int(clamping: host_cache_bytes(1)),
            level2CacheBytes: Int(clamping: host_cache_bytes(2)),
            level3CacheBytes: Int(clamping: host_cache_bytes(3)),
            memoryBytes: Int(clamping: host_memory_bytes()),
            operatingSystem: ProcessInfo.processInfo.operatingSystemVersionString)
    }()

    private static var architectureName: String {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }

    private static func text(_ write: (inout [CChar]) -> Int) -> String {
        var buffer = [CChar](repeating: 0, count: 512)
        let length = write(&buffer)
        return String(decoding: buffer.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
            .split(separator: " ").joined(separator: " ")
    }

    /// A short name for files and tables, such as `amd-epyc-zen5-2c`.
    ///
    /// It contains only lower-case letters, digits and hyphens.
    public var slug: String {
        let noise: Set = ["cpu", "processor", "r", "tm", "core", "with", "unknown"]
        let words = brand.prefix { $0 != "@" }.lowercased()
            .split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
            .map(String.init)
        var kept: [String] = []
        for (index, word) in words.enumerated() where !noise.contains(word) {
            let isCoreCount =
                word.allSatisfy(\.isNumber) && words.dropFirst(index + 1).first == "core"
            if !isCoreCount { kept.append(word) }
        }
        let design = microarchitecture.isEmpty ? [] : [microarchitecture]
        return (kept + design + ["\(cores)c"]).joined(separator: "-")
    }
}
