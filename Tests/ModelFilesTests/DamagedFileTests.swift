import Tensors
import Testing

@testable import ModelFiles

/// Every reader, fed thousands of damaged files, either reads them or throws; it never traps.
@Suite("Damaged files") struct DamagedFileTests {
    private let cases = 4000

    @Test("safetensors")
    func safetensorsFiles() throws {
        let original = try fixtureBytes("floats.safetensors")
        let header = 8 + original[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        try damage(original, header: header) { bytes throws(ModelFileError) in
            try readAll(SafetensorsFile(InputFile(bytes, path: "test.safetensors")))
        }
    }

    @Test("index of shards")
    func indexes() throws {
        let path = "sharded/model.safetensors.index.json"
        let original = try fixtureBytes(path)
        try damage(original, header: original.count) { bytes throws(ModelFileError) in
            try readAll(SafetensorsFile(InputFile(bytes, path: fixture(path))))
        }
    }

    @Test("GGUF as written by its authors' package")
    func ggufFiles() throws {
        let original = try fixtureBytes("quantized.gguf")
        try damage(original, header: 2800) { bytes throws(ModelFileError) in
            try readAll(GGUFFile(InputFile(bytes, path: "test.gguf")))
        }
    }

    @Test("config.json")
    func configurations() throws {
        let text = """
            {"model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30, "head_dim": 64,
             "num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 1536,
             "vocab_size": 49152, "rms_norm_eps": 1e-05, "eos_token_id": [2, 7], "hidden_act": "silu",
             "rope_parameters": {"rope_type": "default", "rope_theta": 100000},
             "per_layer_config": {"5": {"intermediate_size": 960}, "23": {"skip": ["mlp"]},
             "11": {"num_attention_heads": 6, "num_key_value_heads": 2}}}
            """
        try damage(Array(text.utf8), header: text.utf8.count) { bytes throws(ModelFileError) in
            let config = try HuggingFaceConfig(parsing: bytes, path: "config.json")
            let again = try HuggingFaceConfig(
                parsing: config.encoded(layers: config.layers), path: "config.json")
            #expect(again.layers == config.layers)
        }
    }

    /// Reads every tensor that can be read.
    private func readAll(_ file: some TensorFile) throws(ModelFileError) {
        for name in file.names {
            guard let shape = file.shape(of: name) else { continue }
            guard let floats = try? file.floats(name) else { continue }
            #expect(floats.count == shape.reduce(1, *))
        }
    }

    /// Damages a file in many ways, at and before the end of its header, and has each one read.
    private func damage(
        _ original: [UInt8], header: Int, _ read: ([UInt8]) throws(ModelFileError) -> Void
    ) throws {
        try read(original)
        var random = SplitMix64(seed: 42)
        var refused = 0
        for _ in 0..<cases {
            var bytes = original
            for _ in 0..<(Bool.random(using: &random) ? 1 : 2) {
                damageOnce(&bytes, header: min(header, bytes.count), using: &random)
            }
            do { try read(bytes) } catch {
                refused += 1
                #expect(!error.problem.isEmpty && !error.remedy.isEmpty)
            }
        }
        #expect(refused > cases / 3, "the damage is too mild to test anything")
    }

    /// One change within the first `header` bytes.
    private func damageOnce(
        _ bytes: inout [UInt8], header: Int, using random: inout SplitMix64
    ) {
        guard header > 0 else { return }
        let hostile: [UInt64] = [
            .max, 1 << 63, 1 << 62, 1 << 60, 1 << 32, 1 << 31, 0, 1, UInt64(bytes.count),
        ]
        let at = Int.random(in: 0..<header, using: &random)
        let end = Int.random(in: at..<min(header, at + 40), using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: bytes.removeSubrange(at...)
        case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2, 3:
            let value = littleEndian(hostile.randomElement(using: &random) ?? 0)
            let width = min([4, 8].randomElement(using: &random) ?? 8, bytes.count - at)
            bytes.replaceSubrange(at..<at + width, with: value.prefix(width))
        case 4: bytes.removeSubrange(at...end)
        case 5: bytes.insert(contentsOf: bytes[at...end], at: at)
        default:
            // A number in text, replaced whole: text around it stays well-formed.
            let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
            guard let start = bytes[at..<header].firstIndex(where: digits.contains) else { return }
            let stop = bytes[start..<header].firstIndex { !digits.contains($0) } ?? header
            let small = UInt64.random(in: 0..<100, using: &random)
            let number = String([hostile.randomElement(using: &random) ?? 0, small, small][at % 3])
            let sign = at % 7 == 0 ? "-" : ""
            bytes.replaceSubrange(start..<stop, with: Array((sign + number).utf8))
        }
    }
}
