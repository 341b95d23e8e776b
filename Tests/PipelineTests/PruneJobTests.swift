import Foundation
import Reporting
import Tensors
import Testing
import Transformers

@testable import Pipeline

@Suite("A prune in process")
struct PruneJobTests {
    private func weights(in output: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: output + "/1.3x/model.safetensors"))
    }

    @Test("a stopped prune resumes at the same stage and writes the same model")
    func resumed() throws {
        let scratch = try Scratch()
        var options = try Tiny.options(in: scratch, output: "straight")
        let report = try PruneJob(options).run()
        #expect(report.targets.count == 1 && report.refused == nil)
        #expect(report.targets[0].predicted >= 1.3)

        options.output = scratch.path("stopped")
        let stopped = RecordedProgress(stopping: "Measuring sensitivity")
        #expect(throws: CancellationError.self) { try PruneJob(options, progress: stopped).run() }
        #expect(stopped.began("Calibrating") && !stopped.began("Writing"))
        #expect(!FileManager.default.fileExists(atPath: options.output + "/report.json"))

        let resumed = RecordedProgress()
        try PruneJob(options, progress: resumed).run()
        #expect(!resumed.began("Calibrating") && !resumed.began("Ordering removals"))
        #expect(resumed.began("Measuring sensitivity"))
        #expect(
            try weights(in: options.output) == weights(in: scratch.path("straight")))

        let done = RecordedProgress()
        try PruneJob(options, progress: done).run()
        #expect(!done.began("Writing") && !done.began("Measuring"))
    }

    @Test("a search over formats writes a model of mixed formats")
    func formats() throws {
        let scratch = try Scratch()
        var options = try Tiny.options(in: scratch)
        options.profile = try Tiny.profile(
            for: options.environment, formats: [.f16: 0.6, .int8: 0.3, .int4: 0.2], in: scratch)
        (options.speedups, options.baselines) = ([3], [.units, .formats])
        options.formats = Precision.allCases
        let report = try PruneJob(options).run()
        #expect(report.formats?.map(\.format) == ["f16", "int8", "int4"])
        #expect(report.formats?.map { ($0.speedup * 10).rounded() / 10 } == [1.7, 3.3, 5])
        let result = try #require(report.targets.first)
        #expect(result.predicted >= 3)
        #expect(result.layers.contains { $0.attentionFormat != nil || $0.feedForwardFormat != nil })
        let best = try #require(result.perplexity)
        for baseline in report.baselines {
            #expect(try #require(baseline.quality.perplexity) >= best * 0.98)
        }
        #expect(Set(report.baselines.map(\.method)) == ["units", "formats"])

        let opened = try OpenedModel(result.path, progress: SilentProgress())
        let formats = try #require(opened.checkpoint.formats)
        for (layer, sizes) in zip(formats.layers, result.layers) {
            #expect(layer.attention.rawValue == sizes.attentionFormat ?? "f32")
            #expect(layer.feedForward.rawValue == sizes.feedForwardFormat ?? "f32")
        }
        #expect(try opened.packed(in: .f32).formats == formats)
        let export = scratch.path("export")
        try ExportJob(ExportOptions(result.path, format: .onnx, output: export)).run()
        for name in ["espalier.safetensors", "model.onnx"] {
            let written = try Data(contentsOf: URL(fileURLWithPath: result.path + "/" + name))
            let exported = try Data(contentsOf: URL(fileURLWithPath: export + "/" + name))
            #expect(written == exported, "\(name)")
        }
        let plans = try JSONDecoder().decode(
            [String: Plan].self,
            from: Data(contentsOf: URL(fileURLWithPath: options.output + "/plan.json")))
        #expect(Formats(of: try #require(plans["3x"]), otherwise: .f32) == formats)

        options.output = scratch.path("same")
        options.formats = []
        options.baselines = []
        let same = try PruneJob(options).run()
        #expect(same.formats == nil)
        #expect(try Checkpoint(try #require(same.targets.first).path).formats == nil)
    }

    @Test("a head in 4 bits is chosen, written, exported and kept by a distillation")
    func headIn4Bits() throws {
        let scratch = try Scratch()
        var options = try Tiny.options(in: scratch)
        options.profile = try Tiny.profile(
            for: options.environment, formats: [.int8: 0.3, .int4: 0.2], heads: [.int4: 0.05],
            in: scratch)
        options.speedups = [8]
        options.formats = Precision.allCases
        let report = try PruneJob(options).run()
        let result = try #require(report.targets.first)
        #expect(result.headFormat == "int4")
        let checkpoint = try Checkpoint(result.path)
        let formats = try #require(checkpoint.formats)
        #expect(formats.head == .int4)
        try ExportJob(
            ExportOptions(result.path, format: .gguf, output: scratch.path("model.gguf"))
        ).run()
        let exported = try Checkpoint(scratch.path("model.gguf"))
        #expect(try exported.embeddings().tokens == checkpoint.embeddings().tokens)

        var training = TrainingOptions(result.path, steps: 3, output: scratch.path("distilled"))
        training.teacher = TrainingOptions.Teacher(Tiny.llama)
        training.text = [Tiny.text]
        (training.length, training.threads) = (64, 1)
        let trained = try TrainingJob(training).run()
        let distilled = try Checkpoint(trained.path)
        #expect(distilled.formats == formats)
        #expect(try distilled.embeddings().tokens != checkpoint.embeddings().tokens)
        // The score is that of the written model.
        #expect(trained.after.isFinite && trained.after > 1)
    }

    @Test("stages begin and end in order, and their counts rise")
    func order() throws {
        let scratch = try Scratch()
        let progress = RecordedProgress()
        let report = try PruneJob(try Tiny.options(in: scratch), progress: progress).run()
        let expected = [
            "Reading the tokenizer", "Calibrating", "Ordering removals",
            "Measuring sensitivity", "Packing tiny-llama", "Evaluating", "Shrinking to 1.3x",
            "Refitting", "Writing ",
            "Measuring 1.3x from its files",
        ]
        var next = expected[...]
        for title in progress.titles {
            if let first = next.first, title.hasPrefix(first) { next.removeFirst() }
        }
        #expect(next.isEmpty, "\(next) of \(progress.titles)")

        var open: [(title: String, count: Int)] = []
        for event in progress.events {
            switch event {
            case .began(let title): open.append((title, 0))
            case .advanced(let count):
                #expect(count >= open.last?.count ?? .max, "\(open)")
                open[open.count - 1].count = count
            case .ended(let title): #expect(open.popLast()?.title == title)
            case .remarked: break
            }
        }
        #expect(open.isEmpty)
        // Without a program for a separate process, times are measured in this process.
        #expect(
            progress.events.contains { event in
                if case .remarked(let text) = event {
                    text.hasSuffix("in this process")
                } else {
                    false
                }
            })
        #expect(report.notes.contains { $0.contains("in the process that made them") })
    }

    @Test("cancelling the task stops the job")
    func cancelled() async throws {
        let scratch = try Scratch()
        let options = try Tiny.options(in: scratch)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try PruneJob(options).run()
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("a target that cannot be reached leaves no files")
    func unreachable() throws {
        let scratch = try Scratch()
        var options = try Tiny.options(in: scratch)
        options.speedups = [50]
        #expect(throws: (any Error).self) { try PruneJob(options).run() }
        #expect(!FileManager.default.fileExists(atPath: options.output + "/work"))
    }
}
