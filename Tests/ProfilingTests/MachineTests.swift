import Profiling
import Testing

@Suite("Machine")
struct MachineTests {
    @Test(
        "the slug of a machine has no redundant words",
        arguments: [
            ("AMD EPYC", "zen5", 2, "amd-epyc-zen5-2c"),
            ("AMD EPYC 9B14 96-Core Processor", "zen4", 8, "amd-epyc-9b14-zen4-8c"),
            (
                "Intel(R) Xeon(R) Platinum 8480C CPU @ 2.00GHz", "sapphirerapids", 4,
                "intel-xeon-platinum-8480c-sapphirerapids-4c"
            ),
            ("Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", "", 8, "intel-i7-1165g7-8c"),
            ("Apple M2 Pro", "", 12, "apple-m2-pro-12c"),
            ("../\u{e9}\"\n", "", 1, "1c"),
        ])
    func slug(brand: String, design: String, cores: Int, slug: String) {
        var machine = smallMachine
        machine.brand = brand
        machine.microarchitecture = design
        machine.cores = cores
        #expect(machine.slug == slug)
    }

    @Test("the description of this machine is complete")
    func current() {
        let machine = Machine.current
        #expect(!machine.brand.isEmpty)
        #expect(machine.cores >= 1)
        #expect(machine.memoryBytes > 1 << 26)
        #expect(
            machine.level1CacheBytes <= machine.level2CacheBytes || machine.level2CacheBytes == 0)
        #expect(!machine.operatingSystem.isEmpty)
        #expect(machine.slug.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" })
        #expect(
            InferenceEnvironment(phase: .encode, batch: 1, sequence: 1, threads: 1, precision: .f32)
                .machine == machine.slug)
    }
}
