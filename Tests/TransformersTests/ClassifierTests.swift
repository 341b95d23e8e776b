import Tensors
import TestSupport
import Testing

@testable import Transformers

@Suite("Heads of encoders against transformers")
struct ClassifierTests {
    private struct Expected: Decodable {
        let ids: [Int32]
        let types: [Int32]?
        let logits: [Float]
    }

    @Test("logits of a batch, segments told apart", arguments: ["bert", "roberta", "distilbert"])
    func logits(name: String) throws {
        let rows = try Fixture.decode([Expected].self, "classifiers/\(name)/expected.json")
        let checkpoint = try Checkpoint(Fixture.path("classifiers/\(name)"))
        let classifier = try #require(try checkpoint.classifier())
        var pass = ForwardPass(try Model(checkpoint), on: Engine(threads: 2))
        let batch = TokenBatch(
            rows.map {
                ($0.ids, $0.types ?? [Int32](repeating: 0, count: $0.ids.count))
            })
        let hidden = pass.hiddenStates(of: batch)
        for (row, range) in zip(rows, batch.sequences) {
            #expect(classifier.kind == .labels(row.logits.count))
            let logits = classifier.logits(of: hidden.row(range.lowerBound))
            expectClose(logits.map(Float.init), row.logits, absolute: 1e-4)
        }
    }

    private struct ExpectedSpans: Decodable {
        let ids: [Int32]
        let types: [Int32]?
        let starts: [Float]
        let ends: [Float]
    }

    @Test("where spans begin and end", arguments: ["bert", "roberta", "distilbert"])
    func spans(name: String) throws {
        let rows = try Fixture.decode([ExpectedSpans].self, "spans/\(name)/expected.json")
        let checkpoint = try Checkpoint(Fixture.path("spans/\(name)"))
        let classifier = try #require(try checkpoint.classifier())
        #expect(classifier.kind == .spans)
        var pass = ForwardPass(try Model(checkpoint), on: Engine(threads: 2))
        let batch = TokenBatch(
            rows.map {
                ($0.ids, $0.types ?? [Int32](repeating: 0, count: $0.ids.count))
            })
        let hidden = pass.hiddenStates(of: batch)
        for (row, range) in zip(rows, batch.sequences) {
            let logits = range.map { classifier.logits(of: hidden.row($0)) }
            expectClose(logits.map { Float($0[0]) }, row.starts, absolute: 1e-4)
            expectClose(logits.map { Float($0[1]) }, row.ends, absolute: 1e-4)
        }
    }

    @Test("models without a head have none", arguments: ["tiny-bert", "tiny-llama", "tiny-opt"])
    func none(name: String) throws {
        #expect(try Checkpoint(Fixture.path(name)).classifier() == nil)
    }
}
