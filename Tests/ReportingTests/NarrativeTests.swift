import Foundation
import Testing

@testable import Reporting

@Suite struct NarrativeTests {
    @Test("HTML and Markdown show the errors of a verified profile only")
    func verification() {
        var report = Samples.decoder
        #expect(!report.html.contains("random plans") && !report.markdown.contains("random plans"))
        report.verification = VerificationFigures(plans: 32, medianError: 0.0123, worstError: 0.041)
        for text in [report.html, report.markdown] {
            #expect(text.contains("32 random plans"))
            #expect(text.contains("1.2% in the median and 4.1% at worst"))
        }
    }

    @Test("a disturbed measurement gives a caution that names the target")
    func disturbance() {
        var report = Samples.decoder
        let before = Narrative(report: report).caveats.count
        report.targets[0].isDisturbed = true
        let caveats = Narrative(report: report).caveats
        #expect(caveats.count == before + 1)
        let name = Figures.target(report.targets[0].target)
        #expect(caveats.contains { $0.contains("Other programs") && $0.contains(name) })
    }

    @Test("all reports show one dense time, and times whose ratios are the speedups")
    func times() throws {
        var report = Samples.decoder
        // Measured medians are from different moments, so their ratio is not the speedup.
        for (index, dense) in [0.02254, 0.01811, 0.01793].enumerated() {
            report.targets[index].denseSeconds = dense
            report.targets[index].seconds = dense / report.targets[index].measured * 0.96
        }
        let share = report.baseSeconds / report.denseSeconds
        report.normaliseTimes()
        #expect(report.denseSeconds == 0.01811)
        #expect(abs(report.baseSeconds / report.denseSeconds - share) < 1e-12)
        for text in [report.html, report.markdown] {
            for other in ["22.54 ms", "17.93 ms", "12.40 ms"] {
                #expect(!text.contains(other), "\(other)")
            }
            for target in report.targets {
                #expect(target.denseSeconds == 0.01811)
                let pair =
                    "18.11 ms → \(Figures.time(target.seconds))"
                #expect(text.contains(pair), "\(pair)")
                let shown = try #require(
                    Double(Figures.time(target.seconds).split(separator: " ")[0]))
                #expect(Figures.ratio(18.11 / shown) == Figures.ratio(target.measured))
            }
        }
        let once = report
        report.normaliseTimes()
        #expect(report == once)
        report.targets = []
        report.normaliseTimes()
        #expect(report.denseSeconds == 0.01811)
    }

    @Test("HTML, Markdown and JSON warn of a profile of another machine")
    func otherMachine() throws {
        var report = Samples.decoder
        for text in [report.html, report.markdown] { #expect(!text.contains("another machine")) }
        report.profiledMachine = "A64FX <8>"
        report.targets[0].predicted = 3
        #expect(report.html.contains("The profile is of another machine (A64FX &lt;8&gt;)"))
        #expect(report.markdown.contains("The profile is of another machine (A64FX &lt;8>)"))
        let json = String(decoding: try report.json(), as: UTF8.self)
        #expect(json.contains("\"profiledMachine\" : \"A64FX <8>\""))
        // With another machine's profile, a wrong prediction says nothing about this machine.
        #expect(!report.html.contains("present state"))
    }

    @Test("HTML and Markdown show sizes on disk if they are known")
    func disk() {
        var report = Samples.decoder
        for text in [report.html, report.markdown] { #expect(!text.contains(" → 401 MiB")) }
        (report.model.bytes, report.targets[1].bytes) = (98 << 20, 401 << 20)
        for text in [report.html, report.markdown] { #expect(text.contains("98 MiB → 401 MiB")) }
    }

    @Test("only a target that is surely reached has the colour of success")
    func colours() {
        var report = Samples.decoder
        report.targets = [report.targets[0]]
        #expect(!report.html.contains("figure missed") && !report.html.contains("verdict missed"))
        report.targets[0].interval[0] = 1.249
        #expect(report.html.contains("figure missed") && report.html.contains("verdict missed"))
        // Rows of the family, whose changes are losses, are only bold.
        #expect(report.html.contains("tr.own th, tr.own td { font-weight: 600; }"))
    }
}
