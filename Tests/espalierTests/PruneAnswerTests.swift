import Foundation
import Profiling
import Testing

@Suite("Output and files of a prune", .serialized)
struct PruneAnswerTests {
    @Test("sizes on disk are printed, and --tidy removes files that only a rerun needs")
    func tidy() throws {
        let prune = try PruneFixture()
        let run = try Program.run(prune.words())
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("On disk: tiny-llama 3"), "\(run.output)")
        #expect(run.output.contains("/out/work takes ") && run.output.contains("--tidy"))
        for line in run.output.split(separator: "\n") {
            #expect(line.count <= 80 || !line.contains(" "), "\(line)")
        }
        let target = try #require((try prune.report()["targets"] as? [[String: Any]])?.first)
        let files = try prune.files().filter { $0.hasPrefix("1.3x/") }.map {
            try FileManager.default.attributesOfItem(atPath: prune.out + "/" + $0)[.size] as? Int
        }
        #expect(target["bytes"] as? Int == files.reduce(0) { $0 + ($1 ?? 0) })
        // Files of other programs in the directory are kept.
        let note = prune.out + "/work/note.txt"
        try "mine".write(toFile: note, atomically: true, encoding: .utf8)
        let tidied = try Program.run(prune.words("--tidy"))
        #expect(tidied.status == 0, "\(tidied.errors)")
        #expect(try prune.files().filter { $0.hasPrefix("work/") } == ["work/note.txt"])
        try FileManager.default.removeItem(atPath: note)

        let again = try Program.run(prune.words("--tidy", "--restart"))
        #expect(again.status == 0 && !again.output.contains("work takes"), "\(again.errors)")
        #expect(try !prune.files().contains("work"))
        let bytes = try Data(
            contentsOf: URL(fileURLWithPath: prune.out + "/1.3x/model.safetensors"))
        let refused = try Program.run(prune.words("--tidy"))
        let lines = refused.errors.split(separator: "\n").filter { $0.hasPrefix("espalier") }
        #expect(refused.status == 1 && lines.count == 1)
        #expect(lines[0].contains("no work/ to resume from, as after --tidy"), "\(lines)")
        #expect(lines[0].contains("choose another -o") && lines[0].contains("--restart"))
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: prune.out + "/1.3x/model.safetensors"))
                == bytes)
        #expect(try Program.run("report", prune.out).status == 0)
        let sparse = try Program.run(
            "sparsify", Fixture.llama, "--prune", prune.out, "--text",
            Fixture.folder + "/text/calibration.txt", "--sequence", "32", "--threads", "1", "-o",
            prune.scratch.path("sparse"))
        #expect(sparse.status == 1 && sparse.errors.contains("without --tidy"))
    }

    @Test("there is one dense time, and the times of a family are it divided by the speedups")
    func times() throws {
        let prune = try PruneFixture()
        let run = try Program.run(prune.words("--speedup", "2"))
        #expect(run.status == 0, "\(run.errors)")
        let report = try prune.report()
        let dense = try #require(report["denseSeconds"] as? Double)
        for target in try #require(report["targets"] as? [[String: Any]]) {
            let measured = try #require(target["measured"] as? Double)
            #expect(target["denseSeconds"] as? Double == dense)
            let seconds = try #require(target["seconds"] as? Double)
            #expect(abs(dense / seconds / measured - 1) < 1e-9)
        }
        let rows = run.output.split(separator: "\n").filter { $0.contains("×") }
            .map { $0.split(separator: " ") }
        #expect(rows[0][0] == "dense")
        for row in rows[1...2] {
            let ratio = try #require(Double(rows[0][2])) / #require(Double(row[3]))
            let speedup = try #require(Double(row[1].dropLast()))
            #expect(abs(ratio - speedup) < 0.011, "\(run.output)")
        }
    }

    @Test("the output and the report warn of a profile of another machine")
    func otherMachine() throws {
        let prune = try PruneFixture()
        let path = prune.scratch.path("made.profile.json")
        var text = try String(contentsOfFile: path, encoding: .utf8)
        let table = try LatencyTable(contentsOf: path)
        text.replace("\"\(table.environment.machine)\"", with: "\"a-toaster\"")
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let run = try Program.run(prune.words())
        #expect(run.status == 0 && run.errors.contains("is of another machine (a-toaster)"))
        #expect(run.output.contains("The profile is of another machine (a-toaster)"))
        for name in ["report.html", "report.md"] {
            let page = try String(contentsOfFile: prune.out + "/" + name, encoding: .utf8)
            #expect(page.contains("The profile is of another machine (a-toaster)"), "\(name)")
        }
        #expect(try prune.report()["profiledMachine"] as? String == "a-toaster")
    }

    @Test("samples begin with a sentence")
    func samples() throws {
        let prune = try PruneFixture()
        #expect(try Program.run(prune.words()).status == 0)
        let samples = try #require(try prune.report()["samples"] as? [[String: Any]])
        #expect(!samples.isEmpty)
        for sample in samples {
            let first = try #require((sample["prompt"] as? String)?.first)
            #expect(first.isUppercase || "\"“".contains(first), "\(sample)")
        }
    }

    @Test("a failed export does not print done, and a complete export prints its size")
    func export() throws {
        let scratch = try Scratch()
        let out = scratch.path("out.gguf")
        let failed = try Program.run("export", Fixture.bert, "--format", "gguf", "-o", out)
        #expect(failed.status == 1 && !failed.errors.contains("Writing"), "\(failed.errors)")
        #expect(!failed.errors.contains("done"))
        let run = try Program.run("export", Fixture.llama, "--format", "gguf", "-o", out)
        let count = try #require(
            try FileManager.default.attributesOfItem(atPath: out)[.size] as? Int)
        #expect(run.status == 0 && run.errors.contains("(4 layers, "), "\(run.errors)")
        #expect(run.errors.contains("On disk: tiny-llama 3"))
        #expect(run.errors.contains("\(out) \(count / 1024) KiB") || count > 1 << 20)
    }
}
