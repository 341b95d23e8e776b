import Profiling
import Tensors
import Testing
import Transformers

@Suite("Damaged profiles")
struct DamagedProfileTests {
    private let json: [UInt8]

    init() throws {
        json = try smallTable().json()
    }

    private func error(replacing old: String, with new: String) throws -> ProfileError? {
        let text = String(decoding: json, as: UTF8.self)
        let range = try #require(text.firstRange(of: old), "\(old) is not in the text")
        let damaged = Array(text.replacingCharacters(in: range, with: new).utf8)
        return #expect(throws: ProfileError.self) {
            try LatencyTable(json: damaged, file: "p.json")
        }
    }

    @Test(
        "a damaged profile gives an error that names the wrong field",
        arguments: [
            ("\"formatVersion\" : 1", "\"formatVersion\" : 2", "formatVersion"),
            ("\"formatVersion\" : 1", "\"formatVersion\" : \"1\"", "formatVersion"),
            ("\"formatVersion\" : 1,", "", "formatVersion"),
            ("\"phase\" : \"decode\"", "\"phase\" : \"dance\"", "environment.phase"),
            ("\"threads\" : 2", "\"threads\" : 0", "environment.threads"),
            ("\"cores\" : 2", "\"cores\" : null", "machine.cores"),
            ("\"attention\" : [", "\"attentino\" : [", "curves.attention"),
            ("\"level\" : 64", "\"level\" : 96", "curves.feedForward[1].level"),
            ("\"level\" : 32", "\"level\" : 0", "curves.feedForward[2].level"),
            ("\"level\" : 32", "\"level\" : \"32\"", "curves.feedForward[2].level"),
            ("\"seconds\" : 1.5", "\"seconds\" : -1.5", "curves.attention[1].seconds"),
            ("\"seconds\" : 1.5", "\"seconds\" : \"NaN\"", "curves.attention[1].seconds"),
            ("\"seconds\" : 1.5", "\"seconds\" : 15", "curves.attention[1].seconds"),
            ("\"seconds\" : 1.5", "\"seconds\" : 1e308", "curves.attention[1].seconds"),
            ("\"hiddenSize\" : 64", "\"hiddenSize\" : 65", "shapeDigest"),
            ("\"hiddenSize\" : 64", "\"hiddenSize\" : -64", "shape.hiddenSize"),
            ("\"samples\" : 9", "\"samples\" : 0", "base.samples"),
        ])
    func named(old: String, new: String, field: String) throws {
        let error = try error(replacing: old, with: new)
        #expect(error?.file == "p.json")
        #expect(error?.field == field)
        #expect(error?.description.hasPrefix("p.json: \(field): ") == true)
        #expect(error?.remedy.isEmpty == false)
    }

    @Test("bytes that are not JSON give an error")
    func notJSON() {
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        for bytes in [[], Array("{".utf8), Array("[]".utf8), [0xff, 0xfe, 0], deep] {
            #expect(throws: ProfileError.self) { try LatencyTable(json: bytes, file: "p.json") }
        }
    }

    @Test("a profile whose end is missing gives an error")
    func truncated() {
        for count in stride(from: 0, to: json.count - 2, by: 5) {
            #expect(throws: ProfileError.self) {
                try LatencyTable(json: Array(json[..<count]), file: "p.json")
            }
        }
    }

    private static let hostile = [
        "-1", "0", "-0.0", "1e999", "-1e999", "1e308", "5e-324", "NaN", "null", "true", "\"\"",
        "[]",
        "{}", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e18", "0.5",
        "18446744073709551616", "\"\\ud800\"", "[[[[", "]", ",",
    ]

    private func damage(_ random: inout SplitMix64) -> [UInt8] {
        var bytes = json
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes.removeSubrange(place..<min(bytes.count, place + 40))
            case 2: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 60)], at: place)
            default:
                let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
                guard let start = bytes[place...].firstIndex(where: digits.contains) else {
                    continue
                }
                let end = bytes[start...].firstIndex { !digits.contains($0) } ?? bytes.count
                let value = Self.hostile.randomElement(using: &random) ?? ""
                bytes.replaceSubrange(start..<end, with: Array(value.utf8))
            }
        }
        return bytes
    }

    @Test(
        "a randomly damaged profile is either valid or gives an error, and never crashes",
        arguments: UInt64(0)..<8)
    func seeded(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var refused = 0
        for _ in 0..<500 {
            do throws(ProfileError) {
                let table = try LatencyTable(json: damage(&random), file: "p.json")
                try table.check()
                #expect(table.predict(Plan(keepingAllOf: table.shape)) > 0)
                #expect(table.maximumSpeedup > 1)
            } catch {
                #expect(error.file == "p.json" && !error.problem.isEmpty)
                refused += 1
            }
        }
        #expect(refused > 300)
    }
}
