import Testing

@testable import Pipeline

@Suite("Invalid options")
struct OptionsTests {
    @Test("a prune without a target or with numbers out of range gives an error")
    func prune() throws {
        func refuses(_ change: (inout PruneOptions) -> Void) -> String? {
            var options = PruneOptions(Tiny.llama, speedups: [1.5], output: "out")
            change(&options)
            do throws(InvalidOptions) {
                _ = try PruneJob(options)
                return nil
            } catch { return error.description }
        }
        #expect(refuses { _ in } == nil)
        #expect(refuses { $0.speedups = [] }?.contains("--speedup") == true)
        #expect(refuses { $0.speedups = [1.5, 1] }?.contains("--speedup") == true)
        #expect(refuses { $0.attempts = 0 }?.contains("--attempts") == true)
        #expect(refuses { $0.calibrationTokens = 1 }?.contains("--calibration-tokens") == true)
        var recovery = RecoveryOptions(.distill, steps: 1)
        #expect(refuses { $0.recovery = recovery }?.contains("--text or --task") == true)
        recovery.text = [Tiny.text]
        #expect(refuses { $0.recovery = recovery } == nil)
        #expect(
            refuses { ($0.recovery, $0.baselines) = (recovery, [.magnitude]) }
                == "--baseline is not trained: compare with a prune without --recover")
    }

    @Test("an encoder without calibration text gives an error")
    func encoder() throws {
        let scratch = try Scratch()
        var options = PruneOptions(Tiny.bert, speedups: [1.5], output: scratch.path("out"))
        options.environment.threads = 1
        #expect {
            try PruneJob(options).run()
        } throws: { error in
            (error as? InvalidOptions)?.description.contains("--calibration FILE") == true
        }
    }

    @Test("contradictory options of other jobs give an error")
    func others() {
        #expect(throws: InvalidOptions.self) { try EvaluateOptions(Tiny.llama).check() }
        #expect(throws: InvalidOptions("--system needs --chat")) {
            var options = GenerateOptions(Tiny.llama, prompt: "Anna")
            options.system = "Be brief."
            try options.check()
        }
        #expect(throws: InvalidOptions.self) {
            var options = ExportOptions(Tiny.llama, format: .onnx, output: "out")
            options.type = .q80
            try options.check()
        }
        #expect(throws: InvalidOptions.self) {
            try LayerDropJob(
                {
                    var options = LayerDropOptions(Tiny.llama, keeping: 2, output: "out")
                    options.strategy = .search
                    return options
                }())
        }
    }
}
