import Foundation
import Testing

@testable import Pruning

@Suite("RunDirectory")
struct RunDirectoryTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func open(_ inputs: [String: String], restarting: Bool = false) throws -> RunDirectory {
        try RunDirectory(scratch.path("run"), inputs: inputs, restarting: restarting)
    }

    private func put(_ names: String...) throws {
        for name in names {
            let url = URL(fileURLWithPath: scratch.path("run/\(name)"))
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("1".utf8).write(to: url)
        }
    }

    /// Returns the text of the error of opening the directory.
    private func failure(_ inputs: [String: String]) throws -> String {
        try #require(#expect(throws: RunDirectory.Failure.self) { _ = try open(inputs) })
            .description
    }

    @Test("stored products are read, and missing or damaged products are nil")
    func products() throws {
        do {
            let run = try open(["model": "a"])
            try run.write(["x": 1.5], "work/dense.json")
            #expect(!run.has("losses.json"))
        }
        let run = try open(["model": "a"])
        #expect(run.read([String: Double].self, "work/dense.json") == ["x": 1.5])
        #expect(run.read([String].self, "work/dense.json") == nil)
        #expect(run.read([String].self, "work/none.json") == nil)
        try put("plan.json")
        #expect(run.read([String].self, "plan.json") == nil && run.has("plan.json"))
    }

    @Test("the error for different inputs names the inputs that differ")
    func otherInputs() throws {
        _ = try open(["model": "a"])
        _ = try open(["model": "a", "text": "b", "--seed": "1"])
        try put("work/dense.json")
        let text = try failure(["model": "a", "text": "c", "--damping": "1"])
        #expect(text.contains("(--damping, --seed, text)") && text.contains("--restart"))
        #expect(throws: Never.self) { _ = try open(["model": "a", "text": "b", "--seed": "1"]) }
    }

    @Test("products without known inputs give an error, except a single profile")
    func unknownInputs() throws {
        try put("profile.json")
        _ = try open(["model": "a"])
        try put("losses.json")
        try FileManager.default.removeItem(atPath: scratch.path("run/work"))
        #expect(try failure(["model": "b"]).contains("inputs.json is missing"))
        let run = try open(["model": "b"], restarting: true)
        #expect(!run.has("losses.json") && run.has("profile.json"))
    }

    @Test("a source may be next to the products of a run, but not among them")
    func sources() throws {
        for (name, isProduct) in [
            ("2x", true), ("work/2x-pruned/2x", true), ("work/../2x/a", true), ("text.txt", false),
            ("models/2x", false), ("../2x", false),
        ] {
            let path = scratch.path("run/" + name)
            var found: RunDirectory.Failure?
            do {
                _ = try RunDirectory(scratch.path("run"), inputs: [:], reading: [path])
            } catch let failure as RunDirectory.Failure {
                found = failure
            }
            #expect((found != nil) == isProduct, "\(name)")
            if let found { #expect(found.description.contains(path)) }
        }
    }

    @Test("a restart removes only the products of the prune command")
    func restart() throws {
        _ = try open(["model": "a"])
        let own = [
            "profile.json", "losses.json", "plan.json", "report.json", "report.md", "report.html",
            "1.25x/config.json", "2x/model.safetensors", "work/moments.safetensors",
            "work/1.25x.json", "work/stages.json", "work/2x-coefficients.json",
            "work/spdy-2x-coefficients.json", "work/flap-losses.json", "work/flap-1.5x.json",
            "flap-2x/config.json", "work/2x-pruned/plan.json", "work/2x-trained/training.json",
        ]
        let foreign = [
            "report.docx", "notes.txt", "max", "nanx", "infx", "x", "work/thesis.tex",
            "work/mine.json", "backup/losses.json", "a.tmp", "flap-notes", "flap-losses.json",
            "work/flap.json", "work/other-losses.json", "other-2x/config.json",
            "work/my-trained/a.json",
        ]
        for name in own + foreign { try put(name) }
        _ = try open(["model": "a"], restarting: true)
        func isThere(_ name: String) -> Bool {
            FileManager.default.fileExists(atPath: scratch.path("run/\(name)"))
        }
        for name in own + foreign { #expect(isThere(name), "\(name)") }
        let run = try open(["model": "b"], restarting: true)
        for name in own { #expect(!isThere(name), "\(name)") }
        for name in foreign { #expect(isThere(name), "\(name)") }
        #expect(!isThere("1.25x") && !isThere("2x"))
        #expect(run.read([String: String].self, "work/inputs.json") == ["model": "b"])
    }

    @Test("half-written files of a killed run are removed")
    func leftovers() throws {
        _ = try open(["model": "a"])
        try put(
            "losses.json.123-456.tmp", "1.25x.tmp/config.json", "1.5x/config.json",
            "work/moments.safetensors.1-2.tmp", "work/2x.json.1-2.tmp", "mine.json.1-2.tmp")
        _ = try open(["model": "a"])
        #expect(try scratch.names("run") == ["1.5x", "mine.json.1-2.tmp", "work"])
        #expect(try scratch.names("run/work") == ["inputs.json", "lock"])
    }

    @Test("a second run gives an error during the first run, and none afterwards")
    func lock() throws {
        do {
            let first = try open(["model": "a"])
            #expect(try failure(["model": "a"]).contains("another run is at work"))
            #expect(try failure(["model": "b"]).contains("another run is at work"))
            withExtendedLifetime(first) {}
        }
        #expect(throws: Never.self) { _ = try open(["model": "a"]) }
        try put("losses.json")
        #expect(try failure(["model": "b"]).contains("other inputs"))
        #expect(throws: Never.self, "an error releases the lock") { _ = try open(["model": "a"]) }
    }

    @Test("the error for a directory that cannot be created names it and a remedy")
    func unwritable() throws {
        try Data().write(to: URL(fileURLWithPath: scratch.path("run")))
        let text = try failure([:])
        #expect(text.contains(scratch.path("run")) && text.contains("cannot be created"))
        #expect(text.contains("choose another -o"))
    }

    @Test("the error for a lock that cannot be opened does not report another run")
    func lockless() throws {
        try put("work/lock/file")
        let text = try failure([:])
        #expect(text.contains("cannot be locked") && !text.contains("another run"))
    }
}
