internal import Foundation

/// Scores generated answers like SQuAD: case, punctuation, articles and spaces are ignored.
///
/// Source: Rajpurkar et al., "SQuAD", arXiv 1606.05250.
struct ScoredAnswer {
    /// Whether the answer equals one of the correct answers.
    let isExact: Bool
    /// F1 of words, the harmonic mean of precision and recall: the maximum over the correct
    /// answers.
    let overlap: Double
    /// Whether the words of the answer contain the words of one of the correct answers.
    let contains: Bool
    /// Whether the answer equals one of the correct answers without case, punctuation and outer
    /// white space, as in lm-evaluation-harness.
    let isMatch: Bool

    /// Scores an answer.
    ///
    /// - Parameters:
    ///   - written: The answer.
    ///   - answers: The correct answers.
    ///   - ignoringArticles: Whether ``isMatch`` ignores English articles and the spaces after them.
    init(_ written: String, answers: [String], ignoringArticles: Bool = false) {
        let words = Self.words(written)
        let expected = answers.map(Self.words)
        isExact = expected.contains(words)
        overlap = expected.map { Self.overlap(words, $0) }.max() ?? 0
        let bare = Self.bare(written.stripped, ignoringArticles)
        isMatch = answers.contains { Self.bare($0, ignoringArticles) == bare }
        contains = expected.contains { answer in
            !answer.isEmpty
                && (0..<max(0, words.count - answer.count + 1)).contains {
                    Array(words[$0..<$0 + answer.count]) == answer
                }
        }
    }

    /// Returns a text without case, ASCII punctuation and, if asked, articles.
    private static func bare(_ text: String, _ ignoringArticles: Bool) -> String {
        let kept = ignoringArticles ? text.replacing(/\b(?:[Tt]he |[Aa]n |[Aa] )/, with: "") : text
        return String(
            String.UnicodeScalarView(
                kept.lowercased().unicodeScalars.filter {
                    !$0.isASCII || !"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".unicodeScalars.contains($0)
                }))
    }

    /// Returns the words of a text that are compared.
    static func words(_ text: String) -> [String] {
        let kept = text.lowercased().unicodeScalars.filter {
            !(CharacterSet.punctuationCharacters.contains($0) || CharacterSet.symbols.contains($0))
                || !$0.isASCII
        }
        return String(String.UnicodeScalarView(kept)).split(whereSeparator: \.isWhitespace)
            .map(String.init).filter { !["a", "an", "the"].contains($0) }
    }

    /// Returns the result of a task from its scored answers.
    ///
    /// - Parameters:
    ///   - scored: The answers.
    ///   - name: The task.
    ///   - metric: The main metric, `contains`, `f1` or `exact_match`. The first two and `em` are
    ///     always reported.
    ///   - written: The generated texts, if there are any.
    /// - Returns: The scores.
    static func result(
        of scored: [ScoredAnswer], _ name: String, metric: String, written: [Continuation] = []
    ) -> TaskResult {
        let scores = [
            "contains": scored.map { $0.contains ? 1.0 : 0 },
            "em": scored.map { $0.isExact ? 1.0 : 0 }, "f1": scored.map(\.overlap),
            "exact_match": scored.map { $0.isMatch ? 1.0 : 0 },
        ]
        return TaskResult(
            name: name, metric: metric, scores: scores[metric] ?? [],
            others: scores.filter { $0.key != metric && $0.key != "exact_match" }
                .mapValues(\.mean), written: written)
    }

    private static func overlap(_ found: [String], _ expected: [String]) -> Double {
        found.isEmpty && expected.isEmpty
            ? 1 : harmonicMean(common(found, expected), found.count, expected.count)
    }
}
