import Tensors
import TestSupport
import Testing

@testable import Transformers

@Suite("Llama compared with transformers")
struct LlamaTests {
    struct Expected: Decodable {
        struct Sequence: Decodable {
            let ids: [Int32]
            let lastLogits: [Float]
        }
        struct Full: Decodable {
            let ids: [Int32]
            let logits: [[Float]]
        }
        struct Batch: Decodable {
            let ids: [[Int32]]
            let mask: [[Int]]
            let lastLogits: [[Float]]
        }
        struct Greedy: Decodable {
            let prompt: [Int32]
            let continuation: [Int32]
        }
        let sequences: [Sequence]
        let full: Full
        let batch: Batch
        let greedy: Greedy
    }

    let expected: Expected

    init() throws {
        expected = try Fixture.decode(Expected.self, "tiny-llama/expected.json")
    }

    @Test("logits of every position agree", arguments: ["tiny-llama", "tiny-llama.gguf"])
    func fullLogits(model: String) throws {
        var pass = try Fixture.pass(model)
        let logits = pass.allLogits(of: TokenBatch([expected.full.ids]))
        expectClose(logits.elements, expected.full.logits.flatMap(\.self), absolute: 2e-4)
    }

    @Test("the last logits agree for sequences of many lengths", arguments: [1, 2, 3])
    func lastLogits(threads: Int) throws {
        var pass = try Fixture.pass("tiny-llama", threads: threads)
        for sequence in expected.sequences {
            let logits = pass.allLogits(of: TokenBatch([sequence.ids]))
            expectClose(
                Array(logits.row(logits.rows - 1)), sequence.lastLogits, absolute: 2e-4)
        }
    }

    @Test("a batch of sequences of different lengths equals the padded batch")
    func batch() throws {
        var pass = try Fixture.pass("tiny-llama")
        let rows = zip(expected.batch.ids, expected.batch.mask).map { ids, mask in
            zip(ids, mask).filter { $0.1 == 1 }.map(\.0)
        }
        let batch = TokenBatch(rows)
        let logits = pass.allLogits(of: batch)
        for (sequence, want) in zip(batch.sequences, expected.batch.lastLogits) {
            expectClose(Array(logits.row(sequence.upperBound - 1)), want, absolute: 2e-4)
        }
    }

    @Test(
        "decoding pieces of any length with a cache gives the logits of the full sequence",
        arguments: [1, 3, 7])
    func cache(step: Int) throws {
        var pass = try Fixture.pass("tiny-llama")
        let ids = Array(expected.sequences.map(\.ids).max { $0.count < $1.count }!)
        let want = pass.allLogits(of: TokenBatch([ids, Array(ids.reversed())]))
        var cache = KeyValueCache(for: pass.model, capacity: ids.count, sequences: 2)
        var logits = Activations()
        for first in stride(from: 0, to: ids.count, by: step) {
            let range = first..<min(first + step, ids.count)
            pass.advance(
                Array(ids[range]) + Array(ids.reversed())[range], cache: &cache, logits: &logits)
            for sequence in 0...1 {
                expectClose(
                    Array(logits.row(sequence)),
                    Array(want.row(sequence * ids.count + range.upperBound - 1)), absolute: 1e-4)
            }
        }
    }

    @Test("greedy generation gives the 24 tokens of the reference")
    func greedy() throws {
        let pass = try Fixture.pass("tiny-llama")
        var generator = Generator(pass, sampler: Sampler(temperature: 0), capacity: 64)
        var tokens: [Int32] = []
        try generator.generate(after: expected.greedy.prompt, count: 24) { tokens.append($0) }
        #expect(tokens == expected.greedy.continuation)
    }

    @Test(
        "logits of the real SmolLM2 agree for 512 tokens", .enabled(if: RealModels.areExpected))
    func smolLM2() throws {
        struct Reference: Decodable {
            let ids: [Int32]
            let positions: [Int]
            let vocabulary: [Int]
            let logits: [[Float]]
            let best: [Int]
            let nll: [Double]
        }
        let reference = try Fixture.decode(Reference.self, "smollm2-expected.json")
        let model = try Model(Checkpoint(RealModels.smolLM2))
        var pass = ForwardPass(model, on: Engine(threads: 2))
        let logits = pass.allLogits(of: TokenBatch([reference.ids]), rowsAtOnce: 128)
        for (position, want) in zip(reference.positions, reference.logits) {
            let row = Array(logits.row(position))
            expectClose(reference.vocabulary.map { row[$0] }, want, absolute: 2e-3)
        }
        let best = (0..<logits.rows).map { row in
            Array(logits.row(row)).enumerated().max { $0.element < $1.element }!.offset
        }
        #expect(best == reference.best)
        let normalisers = pass.engine.logSumExp(Activations(logits))
        let nll = (0..<reference.ids.count - 1).map {
            normalisers[$0] - Double(logits[$0, Int(reference.ids[$0 + 1])])
        }
        expectClose(nll, reference.nll, absolute: 2e-3)
    }
}
