import Tensors
import TestSupport
import Testing

@testable import Transformers

@Suite("BERT compared with transformers")
struct BERTTests {
    @Test("hidden states of a padded batch agree", arguments: [1, 2])
    func tiny(threads: Int) throws {
        struct Expected: Decodable {
            let ids: [[Int32]]
            let mask: [[Int]]
            let lastHiddenState: [[[Float]]]
        }
        let expected = try Fixture.decode(Expected.self, "tiny-bert/expected.json")
        var pass = try Fixture.pass("tiny-bert", threads: threads)
        let lengths = expected.mask.map { $0.reduce(0, +) }
        let batch = TokenBatch(zip(expected.ids, lengths).map { Array($0.prefix($1)) })
        let hidden = pass.hiddenStates(of: batch)
        let want = zip(expected.lastHiddenState, lengths).flatMap { $0.prefix($1) }
        expectClose(hidden.matrix.elements, want.flatMap(\.self), absolute: 1e-4)
    }

    @Test("hidden states of the real MiniLM agree", .enabled(if: RealModels.areExpected))
    func miniLM() throws {
        struct Expected: Decodable {
            let ids: [[Int32]]
            let mask: [[Int]]
            let entries: [[Int]]
            let values: [Float]
            let sentences: [String]
        }
        let expected = try Fixture.decode(Expected.self, "minilm-expected.json")
        let checkpoint = try Checkpoint(RealModels.miniLM)
        var pass = ForwardPass(try Model(checkpoint), on: Engine(threads: 2))
        let tokenizer = try checkpoint.tokenizer()
        let sequences = expected.sentences.map {
            tokenizer.encode($0, addingSpecialTokens: true)
        }
        #expect(
            sequences == zip(expected.ids, expected.mask).map { Array($0.prefix($1.reduce(0, +))) })
        let batch = TokenBatch(sequences)
        let hidden = pass.hiddenStates(of: batch)
        expectClose(
            expected.entries.map { hidden[batch.sequences[$0[0]].lowerBound + $0[1], $0[2]] },
            expected.values, absolute: 1e-4)
    }
}
