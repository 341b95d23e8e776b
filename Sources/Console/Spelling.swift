/// Finds the word that the user probably meant by a mistyped word.
enum Spelling {
    /// Returns the optimal string alignment distance of two words, a Damerau–Levenshtein distance.
    ///
    /// It is the minimum number of insertions, deletions, replacements and exchanges of
    /// neighbouring letters that turn one word into the other word.
    ///
    /// - Complexity: O(n · m)
    static func distance(_ left: String, _ right: String) -> Int {
        let (a, b) = (Array(left), Array(right))
        var rows = [Array(0...b.count)]
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    best = min(best, rows[i - 1][j - 1] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }

    /// Returns the nearest candidate; nil if no candidate is close enough.
    ///
    /// A candidate is close enough if it needs at most one edit for every three letters, or if it
    /// is the only candidate that begins with the word.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let ranked = candidates.map { (word: $0, distance: distance(word, $0)) }
        let best = ranked.min { $0.distance < $1.distance }
        let letters = word.count { $0 != "-" }
        if let best, best.distance <= max(1, letters / 3), best.distance < letters {
            return best.word
        }
        let longer = candidates.filter { letters > 1 && $0.hasPrefix(word) }
        return longer.count == 1 ? longer[0] : nil
    }
}
