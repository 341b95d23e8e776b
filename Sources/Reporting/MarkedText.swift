/// A text whose words that another text lacks are marked.
struct MarkedText {
    let text: String
    /// The text to compare with.
    let other: String

    /// The text; words that are not in the longest common sequence of words are in `mark` elements.
    var markup: Markup {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        let known = other.split(separator: " ", omittingEmptySubsequences: false)
        let added = Set(
            words.difference(from: known).insertions.map { change in
                if case .insert(let offset, _, _) = change { offset } else { 0 }
            })
        let pieces = words.enumerated().map { index, word -> Markup in
            added.contains(index) && !word.isEmpty
                ? "<mark>\(String(word))</mark>" : "\(String(word))"
        }
        return pieces.dropFirst().reduce(pieces.first ?? "") { "\($0) \($1)" }
    }
}
