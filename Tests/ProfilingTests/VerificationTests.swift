import Foundation
import Testing

@testable import Profiling

@Suite("Verification")
struct VerificationTests {
    private let verification = Verification(
        seed: 7,
        entries: [(10, 10), (11, 10), (4.5, 5)].enumerated().map { index, pair in
            Verification.Entry(
                predicted: pair.0, measured: timing(pair.1), branchesRemoved: index)
        })

    private var table: LatencyTable {
        var table = smallTable()
        table.interplay = Interplay(knots: [
            Interplay.Knot(sum: 2, seconds: 2), Interplay.Knot(sum: 17, seconds: 17),
        ])
        table.verification = verification
        return table
    }

    @Test("the mean and the maximum of the errors are computed")
    func errors() {
        #expect(abs(verification.medianError - 0.1) < 1e-12)
        #expect(abs(verification.worstError - 0.1) < 1e-12)
        #expect(abs(verification.entries[2].error + 0.1) < 1e-12)
    }

    @Test("a verification can be written and read in a profile, with the documented keys")
    func roundTrip() throws {
        let json = try table.json()
        #expect(try LatencyTable(json: json, file: "p.json") == table)
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
        let written = try #require(object["verification"] as? [String: Any])
        #expect(written["plans"] as? Int == 3)
        #expect(written["pairs"] as? [[Double]] == [[10, 10], [11, 10], [4.5, 5]])
        for key in ["medianError", "worstError"] {
            #expect(abs(try #require(written[key] as? Double) - 0.1) < 1e-12)
        }
    }

    @Test("profiles without a verification, such as older profiles, can be read")
    func absent() throws {
        let json = String(decoding: try smallTable().json(), as: UTF8.self)
        #expect(!json.contains("verification") && !json.contains("interplay"))
        let copy = try LatencyTable(json: Array(json.utf8), file: "p.json")
        #expect(copy.verification == nil && copy.interplay == Interplay())
    }

    @Test(
        "a damaged verification gives an error that names the field",
        arguments: [
            (#""branchesRemoved" : ["#, #""branchesRemoved" : [ 4,"#, "verification"),
            (#""sum" : 17"#, #""sum" : 2"#, "interplay[1]"),
            ("\"sum\" : 2\n", "\"sum\" : -2\n", "interplay[0].sum"),
        ])
    func damage(from: String, to: String, field: String) throws {
        let json = String(decoding: try table.json(), as: UTF8.self)
        let damaged = json.replacingOccurrences(of: from, with: to)
        try #require(damaged != json)
        let error = #expect(throws: ProfileError.self) {
            try LatencyTable(json: Array(damaged.utf8), file: "p.json")
        }
        #expect(error?.field == field)
    }
}
