/// The number that a generated answer gives, scored as GSM8K in lm-evaluation-harness.
///
/// Source: Cobbe et al., "Training Verifiers to Solve Math Word Problems", arXiv 2110.14168.
struct GeneratedNumber {
    /// The number after the first `#### `; nil if there is none.
    let strict: String?
    /// The last number; nil if there is none.
    let flexible: String?

    init(_ answer: String) {
        let marked = /#### (-?[0-9.,]+)/.matchingSemantics(.unicodeScalar)
        strict = answer.firstMatch(of: marked).map { Self.bare(String($0.output.1)) }
        let number = /-?[$0-9.,]{2,}|-?[0-9]+/.matchingSemantics(.unicodeScalar)
        flexible = answer.matches(of: number).last.map { Self.bare(String($0.output)) }
    }

    /// Returns the number of a correct answer, or of a found number, in the form that is compared.
    ///
    /// Commas, dollar signs, the text up to the last `#### ` and a full stop at the end are removed.
    static func bare(_ text: String) -> String {
        var bare = text.filter { $0 != "," && $0 != "$" }[...]
        if let mark = bare.ranges(of: "#### ").last { bare = bare[mark.upperBound...] }
        if bare.last == "." { bare.removeLast() }
        return bare.lowercased()
    }
}
