import Foundation
import Testing

@testable import Reporting

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Collects the elements and texts that an XML parser finds in a page.
private final class PageReader: NSObject, XMLParserDelegate {
    var elements: [String: Int] = [:]
    var text = ""
    var identifiers: [String] = []
    var references: [String] = []
    var unlabelledPictures = 0

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
    ) {
        elements[name, default: 0] += 1
        if let id = attributes["id"] { identifiers.append(id) }
        if let reference = attributes["aria-labelledby"] { references.append(reference) }
        if name == "svg", attributes["aria-label"] == nil, attributes["aria-hidden"] == nil {
            unlabelledPictures += 1
        }
        for (key, value) in attributes
        where key == "src" || key == "href" && !value.hasPrefix("#") || key.hasPrefix("on") {
            text += "FORBIDDEN \(key)=\(value)"
        }
    }

    func parser(_ parser: XMLParser, foundCharacters characters: String) { text += characters }
}

@Suite struct HTMLReportTests {
    private func read(_ report: PruneReport) throws -> PageReader { try read(report.html) }

    private func read(_ html: String) throws -> PageReader {
        let parser = XMLParser(data: Data(html.utf8))
        let reader = PageReader()
        parser.delegate = reader
        let isWellFormed = parser.parse()
        #expect(
            isWellFormed,
            "line \(parser.lineNumber): \(parser.parserError.map { "\($0)" } ?? "no reason")")
        return reader
    }

    @Test("HTML and Markdown show tasks with significant changes")
    func tasks() throws {
        var report = Samples.decoder
        #expect(!report.html.contains("Tasks:"))
        func result(_ target: Double, _ value: Double, p: Double) -> TaskFigures.Result {
            TaskFigures.Result(target: target, value: value, error: 0.01, pValue: p, flips: 0.2)
        }
        report.tasks = [
            TaskFigures(
                name: "piqa <x>", metric: "acc", items: 1838, dense: 0.68, denseError: 0.011,
                results: [result(1.25, 0.66, p: 0.2), result(1.5, 0.6, p: 1e-4)]),
            TaskFigures(
                name: "sciq", metric: "acc", items: 1000, dense: 0.8, denseError: 0.01,
                results: [result(1.25, 0.6, p: 1e-9), result(1.5, 0.4, p: 1e-9)]),
        ]
        for text in [try read(report).text, report.markdown] {
            for part in [
                "66.0% (−2.9% ~)", "60.0% (−11.8%)", "68.0% ± 1.1%",
                "At 1.25× 1 of 2 scores fell significantly, most of all sciq, by 25.0%",
                "At 1.5× 2 of 2 scores fell significantly, most of all sciq, by 50.0%",
            ] {
                #expect(text.filter { $0 != "\\" }.contains(part), "\(part)")
            }
        }
        #expect(!report.html.contains("became wrong"))
        report.tasks?[1].results[1].lost = [
            .init(prompt: "What is <frozen> water?", expected: "ice", answer: "steam")
        ]
        for text in [try read(report).text, report.markdown.replacing("&lt;", with: "<")] {
            for part in [
                "became wrong", "<frozen> water", "Correct: “ice”. Pruned model: “steam”.",
            ] {
                #expect(text.contains(part), "\(part)")
            }
        }
        #expect(try PruneReport(json: report.json()) == report)
    }

    @Test("a comparison shows runs side by side, and differences that prevent a comparison")
    func compared() throws {
        var other = Samples.decoder
        let same = ComparisonPage([("one", Samples.decoder), ("two & three", other)])
        #expect(same.caveats.isEmpty)
        other.environment.threads += 1
        other.evaluatedOn = "something else"
        let page = ComparisonPage([("one", Samples.decoder), ("two & three", other)])
        #expect(page.caveats.count == 2)
        let reader = try read(page.html)
        for part in ["one, 1.5×, f32", "two & three, 1.5×, f32", "something else"] {
            #expect(reader.text.contains(part), "\(part)")
        }
        #expect(reader.unlabelledPictures == 0 && reader.elements["script"] == nil)
        #expect(!reader.text.contains("FORBIDDEN"))
    }

    @Test("a comparison gives the advice of each report, and none without a measured quality")
    func comparedAdvice() throws {
        var (good, bad) = (Samples.decoder, Samples.decoder)
        for index in good.targets.indices { good.targets[index].perplexity = 21.1 }
        bad.targets = [bad.targets[0]]
        bad.targets[0].perplexity = 50
        bad.secondText = "novel.txt, 512 tokens"
        bad.secondDense = QualityFigures(perplexity: 10)
        bad.targets[0].second = QualityFigures(perplexity: 40)
        let page = ComparisonPage([("good", good), ("bad", bad)])
        #expect(page.advice.count == 4)
        #expect(page.advice[1].hasPrefix("good, 1.5×: Keep it. No measured loss is large."))
        #expect(
            page.advice[3]
                == "bad, 1.25×: Ask for a smaller speedup. The largest loss: on the second text, "
                + "novel.txt: perplexity 10.00 → 40.00.")
        let shown = try read(page.html)
        for advice in page.advice { #expect(shown.text.contains(advice)) }
        #expect(shown.text.contains("Advice") && shown.text.contains("Which to use"))
        #expect(Set(shown.references).isSubset(of: shown.identifiers))
        bad.targets[0].quality = QualityFigures()
        bad.targets[0].second = nil
        #expect(ComparisonPage([("bad", bad)]).advice.isEmpty)
        let silent = try read(ComparisonPage([("bad", bad)]).html).text
        #expect(!silent.contains("Advice") && !silent.contains("Which to use"))
    }

    @Test("runs in two precisions are compared with the slowest dense model")
    func comparedPrecisions() throws {
        var (float, byte) = (Samples.decoder, Samples.decoder)
        byte.environment.precision = "int8"
        for index in byte.targets.indices { byte.targets[index].denseSeconds = 0.0035 }
        float.normaliseTimes()
        byte.normaliseTimes()
        let page = ComparisonPage([("bytes", byte), ("floats", float)])
        #expect(page.caveats.isEmpty)
        let reader = try read(page.html)
        let (slow, fast) = (float.targets[1], byte.targets[1])
        for part in [
            "slowest dense model (dense, f32, 12.35 ms)", "dense, int8", "bytes, int8",
            "f32 and int8", "ms, measured",
            // The time, the speedup over the slowest dense model, and the speedup over the own one.
            [
                "bytes, 1.5×, int8", Figures.time(fast.seconds),
                Figures.ratio(float.denseSeconds / fast.seconds), Figures.ratio(fast.measured),
            ].joined(separator: "\n"),
            [
                "floats, 1.5×, f32", Figures.time(slow.seconds), Figures.ratio(slow.measured),
                Figures.ratio(slow.measured),
            ].joined(separator: "\n"),
        ] {
            #expect(reader.text.contains(part), "\(part)")
        }
        #expect(reader.unlabelledPictures == 0)
    }

    @Test("the report shows texts of pruned and dense models, and the tried plans")
    func writings() throws {
        let report = Samples.decoder
        let reader = try read(report)
        for text in [reader.text, report.markdown] {
            for wanted in ["The city was", "a small one", "a town of 1.5 walls"] {
                #expect(text.contains(wanted))
            }
            #expect(text.contains("How the search went"))
        }
        var bare = report
        (bare.samples, bare.search) = (nil, nil)
        for index in bare.targets.indices { bare.targets[index].trials = nil }
        let page = try read(bare).text
        #expect(!page.contains("What the models write") && !page.contains("How the search went"))
    }

    @Test("pages are well-formed, labelled and self-contained")
    func wellFormed() throws {
        for report in [Samples.decoder, Samples.encoder] {
            let reader = try read(report)
            #expect(reader.elements["script"] == nil && reader.elements["link"] == nil)
            #expect(!reader.text.contains("FORBIDDEN"))
            #expect(!report.html.contains("url("))
            #expect(reader.elements["h1"] == 1)
            #expect(reader.unlabelledPictures == 0)
            #expect(Set(reader.identifiers).count == reader.identifiers.count)
            #expect(Set(reader.references).isSubset(of: reader.identifiers))
        }
    }

    @Test("on paper every colour is a light one, and folded parts are shown")
    func print() throws {
        let style = Stylesheet.text.text
        func part(_ rule: String) throws -> Substring {
            let start = try #require(style.range(of: rule)).upperBound
            return style[start...].prefix(
                upTo: style[start...].range(of: "\n}")?.lowerBound ?? style.endIndex)
        }
        func colours(_ part: Substring) -> [Substring: Substring] {
            Dictionary(
                part.matches(of: /--([a-z0-9-]+): (#[0-9a-f]{6});/).map { ($0.1, $0.2) },
                uniquingKeysWith: { first, _ in first })
        }
        let (dark, paper) = (
            colours(try part("@media (prefers-color-scheme: dark) {")),
            colours(try part("@media print {"))
        )
        #expect(dark.count > 10 && Set(dark.keys) == Set(paper.keys))
        for (name, colour) in dark { #expect(paper[name] != colour, "\(name)") }
        #expect(try part("@media print {").contains("details::details-content"))
    }

    @Test("markup in texts is escaped")
    func hostile() throws {
        let reader = try read(Samples.hostile)
        #expect(reader.elements["script"] == nil)
        let known = try read(Samples.decoder).elements.keys
        #expect(Set(reader.elements.keys).isSubset(of: known))
        #expect(reader.text.contains("<script>alert('x')</script> \"q\" & `a` ``` | \\ "))
    }

    @Test("a page of extreme data is well-formed", arguments: [0, 1, 2])
    func extremes(index: Int) throws {
        let (name, report) = Samples.extremes[index]
        let reader = try read(report)
        #expect(reader.text.contains("What to distrust"), "\(name)")
        for word in ["nan", "inf"] {
            #expect(!report.html.contains("=\"\(word)"), "\(name) has a coordinate \(word)")
        }
    }

    @Test("HTML and Markdown contain every number of the report")
    func everyNumber() throws {
        for report in [Samples.decoder, Samples.encoder] {
            let page = try read(report).text
            let markdown = report.markdown
            for text in numbers(of: report) {
                #expect(page.contains(text), "\(text) is not on the page")
                #expect(markdown.contains(text), "\(text) is not in the Markdown")
            }
        }
    }

    /// Returns the expected numbers, formatted independently of the report.
    private func numbers(of report: PruneReport) -> [String] {
        func fixed(_ value: Double, _ places: Int) -> String {
            value.formatted(
                .number.precision(.fractionLength(places)).grouping(.never)
                    .locale(Locale(identifier: "en_US_POSIX")))
        }
        var texts = [
            "batch \(report.environment.batch)", " \(report.environment.sequence)",
            "\(report.environment.threads) threads", "\(report.seed)",
            report.model.parameters.formatted(.number.locale(Locale(identifier: "en_US"))),
            report.calibration.tokens.formatted(.number.locale(Locale(identifier: "en_US"))),
            fixed(report.denseSeconds / report.baseSeconds, 2) + "×",
        ]
        for result in report.targets {
            texts += [
                fixed(result.predicted, 2) + "×", fixed(result.measured, 2) + "×",
                fixed(result.interval[0], 2) + "–" + fixed(result.interval[1], 2) + "×",
                result.parameters.formatted(.number.locale(Locale(identifier: "en_US"))),
                fixed(result.denseSeconds * 1e3, result.denseSeconds < 0.01 ? 3 : 2) + " ms",
                fixed(result.seconds * 1e3, result.seconds < 0.01 ? 3 : 2) + " ms",
            ]
            if let value = result.perplexity { texts.append(fixed(value, 2)) }
            if let value = result.kl { texts.append(fixed(value, 3)) }
            if let value = result.top1 { texts.append(fixed(value * 100, 1) + "%") }
            if let value = result.meanCosineDistance { texts.append(fixed(value, 4)) }
            texts += result.layers.map {
                "\($0.queryHeads) / \($0.keyValueHeads) / \($0.feedForward)"
            }
        }
        for baseline in report.baselines {
            texts.append(fixed(baseline.measured, 2) + "×")
            if let value = baseline.quality.perplexity, value < 1000 {
                texts.append(fixed(value, 2))
            }
        }
        for curve in report.latencyCurves {
            for point in curve.points where point.seconds > 0 {
                let micro = point.seconds * 1e6
                texts.append(fixed(micro, micro < 100 ? 2 : 1) + " µs")
            }
        }
        for (name, cost) in report.stages {
            texts.append(name)
            if cost.seconds < 59 { texts.append(fixed(cost.seconds, 1) + " s") }
        }
        return texts + report.inputs.map(\.digest)
    }

    @Test("the page of contextual sparsity shows every trial and layer")
    func sparsity() throws {
        func trial(_ name: String, _ speedup: Double?) -> SparsityReport.Trial {
            SparsityReport.Trial(
                name: name, perplexity: 20.5, speedup: speedup,
                interval: speedup.map { [$0 - 0.01, $0 + 0.01] } ?? [], isWithinCost: true,
                isDisturbed: false)
        }
        let best = trial("a < b", 1.5)
        var report = SparsityReport(
            version: "1", model: "A & B",
            environment: EnvironmentDescription(
                phase: "decode", batch: 1, sequence: 256, threads: 2, precision: "f32",
                runtime: "espalier", machine: "here"),
            densePerplexity: 20, trials: [trial("first", nil), best], best: best,
            layers: (0..<3).map {
                SparsityReport.Layer(
                    layer: $0, choice: "in 4 bits", density: 0.5, recall: 0.94, kept: 0.97,
                    keptByOracle: 0.98, keptAtRandom: 0.5)
            }, inputLayers: 2, removed: [0.25, 0], sameWords: 0.9995, comparedWords: 4096)
        let page = try read(report.html)
        #expect(page.unlabelledPictures == 0 && !page.text.contains("FORBIDDEN"))
        #expect(Set(page.references).isSubset(of: Set(page.identifiers)))
        for text in ["A & B", "a < b", "1.50×", "+2.5%", "94.0%", "25.0%", "99.95%", "2 layers"] {
            #expect(page.text.contains(text), "\(text)")
        }
        #expect(page.elements["polyline"] == 6)
        (report.layers, report.best) = ([], nil)
        let bare = try read(report.html)
        #expect(bare.elements["svg"] == nil && bare.text.contains("No model is certainly faster"))
    }
}
