import Testing

@testable import Reporting

@Suite struct DecisionTests {
    /// A report of a decoder with one target, whose perplexity is a multiple of the dense model's.
    private func report(perplexityTimes ratio: Double, second: Double = 1) -> PruneReport {
        var report = Samples.decoder
        report.targets = [report.targets[0]]
        report.baselines = []
        report.dense.perplexity = 20
        report.targets[0].perplexity = 20 * ratio
        report.secondText = "novels"
        report.secondDense = QualityFigures(perplexity: 30)
        report.targets[0].second = QualityFigures(perplexity: 30 * second)
        return report
    }

    private func task(_ name: String, _ dense: Double, _ value: Double, p: Double) -> TaskFigures {
        TaskFigures(
            name: name, metric: "acc", items: 500, dense: dense, denseError: 0.02,
            results: [.init(target: 1.25, value: value, error: 0.02, pValue: p, flips: 0.1)])
    }

    @Test(
        "the advice follows the worse of two texts",
        arguments: [
            (1.0, 1.0, Advice.keep), (1.1, 1.0, .keep), (1.11, 1.0, .train), (1.0, 1.2, .train),
            (3.0, 1.0, .train), (3.01, 1.0, .reduce), (1.05, 4.0, .reduce),
        ])
    func texts(ratio: Double, second: Double, advice: Advice) throws {
        let report = report(perplexityTimes: ratio, second: second)
        let decision = try #require(Decision.best(in: report))
        #expect(decision.advice == advice)
        #expect(decision.isGood == (advice == .keep))
        for text in [report.html, report.markdown] { #expect(text.contains(advice.title)) }
    }

    @Test("the advice is never better than that of the weakest task, unless chance explains it")
    func weakestTask() throws {
        var report = report(perplexityTimes: 1.02)
        func advice() throws -> Advice { try #require(Decision.best(in: report)).advice }
        report.tasks = [task("piqa", 0.7, 0.69, p: 0.001), task("sciq", 0.8, 0.7, p: 0.4)]
        #expect(try advice() == .keep)
        report.tasks?[1] = task("sciq", 0.8, 0.73, p: 0.01)
        #expect(try advice() == .train)
        let decision = try #require(Decision.best(in: report))
        #expect(decision.sentence.contains("7.0 of 100 answers worse in sciq"))
        #expect(decision.answers[1].answer.hasPrefix("Sciq: 80.0% → 73.0%."))
        report.tasks?[1] = task("sciq", 0.8, 0.6, p: 0.01)
        #expect(try advice() == .reduce)
        for index in report.targets.indices { report.targets[index].measured = 1.2 }
        #expect(try #require(Decision.best(in: report)).reason.contains("was not reached"))
    }

    @Test("a format alone is preferred if it is as fast and loses no more")
    func format() throws {
        var report = report(perplexityTimes: 1.5)
        let speed = report.targets[0].measured
        func format(_ name: String, _ speedup: Double, _ perplexity: Double) -> FormatResult {
            FormatResult(
                format: name, speedup: speedup, weightBytes: 100_000_000,
                quality: QualityFigures(perplexity: perplexity))
        }
        func decision() throws -> Decision { try #require(Decision.best(in: report)) }
        report.formats = [format("bf16", speed * 0.9, 20), format("int8", speed * 0.98, 20.1)]
        #expect(try decision().title == "Prefer int8 alone")
        #expect(try !decision().isGood)
        report.formats?[1] = format("int8", speed * 0.9, 20.1)
        #expect(try decision().title == "Train it first")
        #expect(try decision().answers[2].answer.hasPrefix("No. The fastest is bf16"))
        report.formats?[1] = format("int8", speed * 1.5, 40)
        #expect(try decision().answers[2].answer.hasPrefix("It is as fast, but loses more: int8"))
        report.targets[0].layers = report.model.layers
        #expect(try decision().answers[2].answer.hasPrefix("Yes. This model is the dense model"))
        #expect(try decision().better == nil)
    }

    @Test("the first lines are about the fastest model that can be used as it is")
    func best() throws {
        var report = Samples.decoder
        report.dense.perplexity = 20
        for (index, perplexity) in [20.5, 21.9, 60.5].enumerated() {
            report.targets[index].perplexity = perplexity
        }
        #expect(Decision.best(in: report)?.result.target == 1.5)
        for index in report.targets.indices { report.targets[index].perplexity = 30 }
        #expect(Decision.best(in: report)?.result.target == 1.25)
        report.targets = []
        #expect(Decision.best(in: report) == nil)
    }

    @Test("the first lines name the second text, and say whether it was given or built in")
    func secondText() throws {
        var report = report(perplexityTimes: 1, second: 1.2)
        report.secondText = "a, b.txt, 512 tokens"
        let decision = try #require(Decision.best(in: report))
        #expect(decision.losses.first?.subject == "the second text, a, b.txt")
        #expect(decision.reason.contains("on the second text, a, b.txt: perplexity 30.00 → 36.00"))
        #expect(report.evaluationTexts[1].hasPrefix("Second text: a, b.txt, 512 tokens. A pruned"))
        for (origin, words) in [
            (SecondTextOrigin.given, "512 tokens, given with --evaluation."),
            (.builtIn, "512 tokens, a story that is part of Espalier."),
        ] {
            report.secondOrigin = origin
            #expect(try PruneReport(json: report.json()) == report)
            let screen = try #require(DecisionSection(report: report)).markup.text
            #expect(screen.contains(words))
            #expect(report.markdown.contains(words))
        }
        report.secondText = nil
        #expect(report.evaluationTexts.count == 1)
        #expect(!report.html.contains("Second text:"))
    }

    @Test("the first table has the change of every perplexity, and the dense model's distance")
    func changes() {
        var report = report(perplexityTimes: 1.5, second: 2)
        report.dense.kl = 0.5
        func cells(_ row: Int) -> [String] { AlternativesTable(report: report).rows[row].cells }
        #expect(Array(cells(0).prefix(3)) == ["1.00×", "20.00", "30.00"])
        #expect(Array(cells(1).dropFirst().prefix(2)) == ["30.00 (+50.0%)", "60.00 (+100.0%)"])
        #expect(
            DivergenceTable(report: report).columns == ["Model", "KL divergence", "Same top token"])
        #expect(DivergenceTable(report: report).rows.map(\.heading) == ["this run, 1.25×"])
        report = Samples.encoder
        report.dense = QualityFigures()
        #expect(cells(0)[1] == "0.0000" && DivergenceTable(report: report).rows.isEmpty)
    }

    @Test("a report without models has the texts and the formats in the section on quality")
    func withoutModels() {
        var report = report(perplexityTimes: 1)
        (report.targets, report.baselines) = ([], [])
        report.formats = [
            FormatResult(
                format: "int8", speedup: 2, weightBytes: 1 << 20,
                quality: QualityFigures(perplexity: 21))
        ]
        for text in [report.html, report.markdown] {
            for part in ["dense, int8", "21.00 (+5.0%)", "Second text: novels."] {
                #expect(text.contains(part), "\(part)")
            }
        }
    }

    @Test("an encoder's vectors are to be tested on a task, until a task was measured")
    func encoder() throws {
        var report = Samples.encoder
        func decision() throws -> Decision { try #require(Decision.best(in: report)) }
        for (distance, advice) in [(0.01, Advice.keep), (0.1, .test), (0.3, .train)] {
            report.targets[0].meanCosineDistance = distance
            #expect(try decision().advice == advice)
        }
        report.targets[0].meanCosineDistance = 0.1
        report.tasks = [
            TaskFigures(
                name: "stsb", metric: "spearman", items: 500, dense: 0.82, denseError: 0.01,
                results: [.init(target: 2, value: 0.815, error: 0.01, pValue: 0.001, flips: nil)])
        ]
        #expect(try decision().advice == .keep)
        report.targets[0].quality = QualityFigures()
        report.tasks = nil
        #expect(try decision().advice == .test)
    }

    @Test("predicted losses are scaled to the measured models")
    func prediction() throws {
        var report = report(perplexityTimes: 1.5)
        // The path loses 0.1 for each unit of speedup, and the model is predicted at 1.3.
        report.search = (0..<5).map { SearchStep(speedup: 1 + Double($0), loss: 0.1 * Double($0)) }
        report.targets[0].predicted = 1.3
        let found = try #require(QualityPrediction(report: report, measure: .perplexity))
        let steps = try #require(report.search)
        #expect(abs(found.quality(of: 0.03) - 30) < 1e-9)
        #expect(abs(try #require(found.quality(of: steps, at: 1.6)) - 45) < 1e-9)
        #expect(found.quality(of: steps, at: 5.1) == nil)
        report.levers = [LeverSteps(name: "units alone", steps: steps)]
        report.targets[0].measured = 1.6
        #expect(report.html.contains("≈ 45.00"))
        report.targets[0].perplexity = 20
        #expect(QualityPrediction(report: report, measure: .perplexity) == nil)
    }

    @Test("sizes and the reasons of a task's fall are said")
    func sizes() throws {
        var report = report(perplexityTimes: 22.0 / 20)
        report.model.weightBytes = 400 << 20
        report.targets[0].weightBytes = 100 << 20
        let decision = try #require(Decision.best(in: report))
        #expect(decision.sentence.hasSuffix("25% of the memory."))
        #expect(decision.answers[3].answer == "Weights in memory: 400 MiB → 100 MiB.")
        let text = try #require(report.expectations.first)
        #expect(text.contains("rose by 10.0%") && text.contains("No task was measured here"))
        report.tasks = [task("sciq", 0.8, 0.4, p: 1e-9), task("piqa", 0.7, 0.69, p: 0.3)]
        let found = try #require(report.expectations.first)
        #expect(found.contains("Further than that median fell sciq (50.0%)."))
        #expect(!found.contains("piqa"))
    }

    @Test("words that only the pruned model writes are marked")
    func marks() {
        #expect(
            MarkedText(text: "a <b> c  d", other: "a c d e").markup.text
                == "a <mark>&lt;b&gt;</mark> c  d")
        #expect(MarkedText(text: "", other: "x").markup.text == "")
    }
}
