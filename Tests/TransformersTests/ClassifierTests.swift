import Tensors
import TestSupport
import Testing

@testable import Transformers

@Suite("Heads of encoders compared with transformers")
struct ClassifierTests {
    private struct Expected: Decodable {
        let ids: [Int32]
        let types: [Int32]?
        let logits: [Float]?
        let starts: [Float]?
        let ends: [Float]?
    }

    /// Calls `body` for each row of a model's reference data, with the head, the expected values
    /// and the hidden states.
    private func visitRows(
        of folder: String, _ body: (Classifier, Expected, [ArraySlice<Float>]) throws -> Void
    ) throws {
        let rows = try Fixture.decode([Expected].self, folder + "/expected.json")
        let checkpoint = try Checkpoint(Fixture.path(folder))
        let classifier = try #require(try checkpoint.classifier())
        var pass = ForwardPass(try Model(checkpoint), on: Engine(threads: 2))
        let batch = TokenBatch(
            rows.map {
                ($0.ids, $0.types ?? [Int32](repeating: 0, count: $0.ids.count))
            })
        let hidden = pass.hiddenStates(of: batch)
        for (row, range) in zip(rows, batch.sequences) {
            try body(classifier, row, range.map { hidden.row($0) })
        }
    }

    @Test(
        "logits of a batch with two token types agree",
        arguments: ["bert", "roberta", "distilbert"])
    func logits(name: String) throws {
        try visitRows(of: "classifiers/\(name)") { classifier, row, hidden in
            let wanted = try #require(row.logits)
            #expect(classifier.kind == .labels(wanted.count))
            expectClose(
                classifier.logits(of: hidden[0]).map(Float.init), wanted, absolute: 1e-4)
        }
    }

    @Test(
        "the logits of the starts and ends of spans agree",
        arguments: ["bert", "roberta", "distilbert"])
    func spans(name: String) throws {
        try visitRows(of: "spans/\(name)") { classifier, row, hidden in
            #expect(classifier.kind == .spans)
            let logits = hidden.map(classifier.logits)
            let (starts, ends) = (try #require(row.starts), try #require(row.ends))
            expectClose(logits.map { Float($0[0]) }, starts, absolute: 1e-4)
            expectClose(logits.map { Float($0[1]) }, ends, absolute: 1e-4)
        }
    }

    @Test(
        "a model without a head has no classifier",
        arguments: ["tiny-bert", "tiny-llama", "tiny-opt"])
    func none(name: String) throws {
        #expect(try Checkpoint(Fixture.path(name)).classifier() == nil)
    }
}
