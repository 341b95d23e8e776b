import Testing

@testable import Reporting

@Suite struct NarrativeTests {
    @Test("a verified profile's errors stand in page and Markdown, of no other")
    func verification() {
        var report = Samples.decoder
        #expect(!report.html.contains("random plans") && !report.markdown.contains("random plans"))
        report.verification = VerificationFigures(plans: 32, medianError: 0.0123, worstError: 0.041)
        for text in [report.html, report.markdown] {
            #expect(text.contains("32 random plans"))
            #expect(text.contains("1.2% in the median and 4.1% at worst"))
        }
    }

    @Test("a disturbed measurement is a reason for caution that names its target")
    func disturbance() {
        var report = Samples.decoder
        let before = Narrative(report: report).caveats.count
        report.targets[0].isDisturbed = true
        let caveats = Narrative(report: report).caveats
        #expect(caveats.count == before + 1)
        let name = Figures.target(report.targets[0].target)
        #expect(caveats.contains { $0.contains("Other programs") && $0.contains(name) })
    }
}
