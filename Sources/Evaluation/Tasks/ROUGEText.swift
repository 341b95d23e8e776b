/// The words of a text, to compare with the words of another text.
///
/// Source: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004. Words are runs of
/// ASCII letters and digits in lower case, as in Google's rouge-score without stemming.
struct ROUGEText {
    let words: [Substring]

    init(_ text: String) {
        words = text.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
    }

    /// Returns ROUGE-N: the harmonic mean of precision and recall of n-grams.
    func overlap(with other: ROUGEText, of length: Int) -> Double {
        let (mine, theirs) = (grams(length), other.grams(length))
        return harmonicMean(common(mine, theirs), mine.count, theirs.count)
    }

    /// Returns ROUGE-L: the harmonic mean of precision and recall of the longest common
    /// subsequence.
    func overlapOfSequence(with other: ROUGEText) -> Double {
        var lengths = [Int](repeating: 0, count: other.words.count + 1)
        for word in words {
            var diagonal = 0
            for (place, expected) in other.words.enumerated() {
                let above = lengths[place + 1]
                lengths[place + 1] =
                    word == expected ? diagonal + 1 : max(above, lengths[place])
                diagonal = above
            }
        }
        return harmonicMean(lengths[lengths.count - 1], words.count, other.words.count)
    }

    /// The fraction of 4-grams that occur earlier in the text.
    var repetition: Double {
        let grams = grams(4)
        return grams.isEmpty ? 0 : 1 - Double(Set(grams).count) / Double(grams.count)
    }

    private func grams(_ length: Int) -> [[Substring]] {
        words.count < length
            ? [] : (0...words.count - length).map { Array(words[$0..<$0 + length]) }
    }
}

/// Returns the number of elements that two lists have in common.
///
/// An element that occurs several times in both lists counts several times.
func common<Element: Hashable>(_ found: [Element], _ expected: [Element]) -> Int {
    var left = Dictionary(expected.map { ($0, 1) }, uniquingKeysWith: +)
    var common = 0
    for element in found {
        guard let count = left[element], count > 0 else { continue }
        left[element] = count - 1
        common += 1
    }
    return common
}

/// Returns the harmonic mean of precision and recall; 0 if no element is common.
func harmonicMean(_ common: Int, _ found: Int, _ expected: Int) -> Double {
    common == 0 ? 0 : 2 * Double(common) / Double(found + expected)
}
