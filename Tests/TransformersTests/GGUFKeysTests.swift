import Foundation
import ModelFiles
import Tensors
import Testing

@testable import Transformers

@Suite("GGUF metadata that changes the computation")
struct GGUFKeysTests {
    /// Opens a copy of the tiny GGUF model with other metadata and further tensors.
    private func open(
        _ metadata: [String: GGUFValue?] = [:], tensors: [String: [Int]] = [:],
        without dropped: String? = nil
    ) throws -> Checkpoint {
        let source = try GGUFFile(path: Fixture.path("tiny-llama.gguf"))
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("espalier-\(UUID().uuidString).gguf").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var values = source.metadata
        for (key, value) in metadata { values[key] = value }
        let entries = source.names.filter { $0 != dropped }.map {
            GGUFWriter.Entry(name: $0, shape: source.shape(of: $0) ?? [], type: .f32)
        }
        let more = tensors.map { GGUFWriter.Entry(name: $0.key, shape: $0.value, type: .f32) }
        try GGUFWriter.write(entries + more, metadata: values, to: path) { entry in
            tensors[entry.name].map { [Float](repeating: 1, count: $0.reduce(1, *)) }
                ?? (try? source.floats(entry.name)) ?? []
        }
        return try Checkpoint(path)
    }

    @Test(
        "unsupported metadata gives an error",
        arguments: [
            ("llama.attention.causal", .bool(false)), ("llama.expert_count", .integer(8)),
            ("llama.attention.scale", .number(0.5)), ("llama.logit_scale", .number(2)),
            ("llama.final_logit_softcapping", .number(30)),
            ("llama.rope.scaling.type", .string("longrope")),
            ("llama.rope.scaling.type", .string("yarn")),
            ("llama.rope.scaling.attn_factor", .number(1.2)),
            ("llama.attention.key_length", .integer(32)),
            ("llama.attention.value_length", .integer(32)), ("split.count", .integer(3)),
            ("general.type", .string("adapter")),
            ("general.architecture", .string("gemma")),
        ] as [(String, GGUFValue)])
    func refused(key: String, value: GGUFValue) throws {
        let error = #expect(throws: ModelFileError.self) { try open([key: value]) }
        #expect(error?.description.contains(key) == true, "\(String(describing: error))")
    }

    @Test("metadata that changes nothing is accepted")
    func neutral() throws {
        let checkpoint = try open([
            "llama.attention.causal": .bool(true), "llama.expert_count": .integer(0),
            "llama.logit_scale": .number(1), "llama.rope.scaling.type": .string("none"),
        ])
        #expect(checkpoint.remarks.isEmpty)
    }

    @Test("an attention window limits positions, and an unknown key gives a remark")
    func window() throws {
        let checkpoint = try open([
            "llama.attention.sliding_window": .integer(16), "llama.mystery": .integer(1),
        ])
        #expect(checkpoint.shape.maximumPositions == 16)
        #expect(checkpoint.remarks.count == 1)
        #expect(checkpoint.remarks.first?.contains("llama.mystery") == true)
    }

    @Test(
        "unknown tensors give an error, and biases are read",
        arguments: [
            ("rope_factors_long.weight", [8], false), ("blk.0.attn_q_norm.weight", [16], false),
            ("blk.0.ffn_gate_exps.weight", [2, 96, 64], false), ("output.bias", [512], false),
            ("blk.4.attn_norm.weight", [64], false), ("blk.0.attn_q.bias", [64], true),
            ("blk.0.ffn_down.bias", [64], true),
        ])
    func tensors(name: String, shape: [Int], isRead: Bool) throws {
        if isRead {
            _ = try open(tensors: [name: shape])
        } else {
            let error = #expect(throws: ModelFileError.self) { try open(tensors: [name: shape]) }
            #expect(error?.description.contains(name) == true)
        }
    }

    @Test("a missing tensor gives an error when the file is opened")
    func missing() {
        let error = #expect(throws: ModelFileError.self) {
            try open(without: "blk.3.ffn_norm.weight")
        }
        #expect(error?.description.contains("blk.3.ffn_norm.weight") == true)
    }
}
