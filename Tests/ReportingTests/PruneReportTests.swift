import Foundation
import Testing

@testable import Reporting

@Suite struct PruneReportTests {
    @Test("a report can be written and read as JSON")
    func roundTrip() throws {
        for report in [Samples.decoder, Samples.encoder, Samples.hostile]
            + Samples.extremes.map(\.report)
        {
            #expect(try PruneReport(json: report.json()) == report)
        }
    }

    @Test("JSON has the documented keys")
    func keys() throws {
        let object = try #require(
            JSONSerialization.jsonObject(with: Samples.decoder.json()) as? [String: Any])
        #expect(object["method"] as? String == "greedy")
        #expect(object["seed"] as? Int == 7)
        let stages = try #require(object["stages"] as? [String: [String: Any]])
        #expect(stages["profile"]?["seconds"] as? Double == 64.2)
        #expect(stages["profile"]?["peakBytes"] as? Int == 812_000_000)
        let targets = try #require(object["targets"] as? [[String: Any]])
        #expect(targets.count == 3)
        #expect(targets[0]["target"] as? Double == 1.25)
        #expect(targets[0]["measured"] as? Double == 1.263)
        #expect((targets[0]["interval"] as? [Double])?.count == 2)
        #expect(targets[0]["path"] as? String == "out/1.25x")
        for key in ["predicted", "kl", "perplexity", "top1", "seconds", "denseSeconds"] {
            #expect(targets[0][key] is Double, "\(key)")
        }
        let layers = try #require(targets[0]["layers"] as? [[String: Any]])
        #expect(layers[0]["queryHeads"] is Int && layers[0]["feedForward"] is Int)
        let encoder = try String(decoding: Samples.encoder.json(), as: UTF8.self)
        #expect(encoder.contains("\"meanCosineDistance\" : 0.0631"))
        #expect(!encoder.contains("perplexity"))
    }

    @Test("a number that is not finite gives an error")
    func notFinite() {
        var report = Samples.decoder
        report.targets[0].measured = .nan
        #expect(throws: EncodingError.self) { try report.json() }
    }
}
