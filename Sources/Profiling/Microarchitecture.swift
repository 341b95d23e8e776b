/// The names of processor microarchitectures.
enum Microarchitecture {
    /// The name of a microarchitecture; nil if it is unknown.
    ///
    /// Sources: AMD and Intel family and model numbers as in Linux's `arch/x86/kernel/cpu/amd.c`
    /// and `arch/x86/include/asm/intel-family.h`; Arm part numbers as in Linux's
    /// `arch/arm64/include/asm/cputype.h`.
    ///
    /// - Parameters:
    ///   - brand: The processor's name; empty on Linux on other architectures than x86.
    ///   - family: The family on x86, otherwise the implementer.
    ///   - model: The model on x86, otherwise the part.
    /// - Returns: A lower-case name; nil if it is unknown.
    static func name(brand: String, family: UInt32, model: UInt32) -> String? {
        if brand.hasPrefix("AMD") { return amd(family, model) }
        if brand.hasPrefix("Intel") || brand.hasPrefix("Genuine Intel") {
            return family == 6 ? intel(model) : nil
        }
        return brand.isEmpty && family == 0x41 ? arm(model) : nil
    }

    private static func amd(_ family: UInt32, _ model: UInt32) -> String? {
        switch (family, model) {
        case (0x17, 0x00...0x2f): "zen"
        case (0x17, 0x30...): "zen2"
        case (0x19, 0x10...0x1f), (0x19, 0x60...0xaf): "zen4"
        case (0x19, _): "zen3"
        case (0x1a, 0x50...0x5f), (0x1a, 0x80...0xaf), (0x1a, 0xc0...0xcf): "zen6"
        case (0x1a, _): "zen5"
        default: nil
        }
    }

    private static func intel(_ model: UInt32) -> String? {
        switch model {
        case 0x3c, 0x3f, 0x45, 0x46: "haswell"
        case 0x3d, 0x47, 0x4f, 0x56: "broadwell"
        case 0x4e, 0x55, 0x5e: "skylake"
        case 0x8e, 0x9e: "kabylake"
        case 0x6a, 0x6c, 0x7d, 0x7e: "icelake"
        case 0x8c, 0x8d: "tigerlake"
        case 0x8f: "sapphirerapids"
        case 0x97, 0x9a: "alderlake"
        case 0xad, 0xae: "graniterapids"
        case 0xaf: "sierraforest"
        case 0xb7, 0xba, 0xbf: "raptorlake"
        case 0xcf: "emeraldrapids"
        default: nil
        }
    }

    private static func arm(_ part: UInt32) -> String? {
        switch part {
        case 0xd08: "cortex-a72"
        case 0xd0b: "cortex-a76"
        case 0xd0c: "neoverse-n1"
        case 0xd40: "neoverse-v1"
        case 0xd49: "neoverse-n2"
        case 0xd4f: "neoverse-v2"
        default: nil
        }
    }
}
