internal import Foundation

/// The places of a query's relevant passages in a list that is sorted by similarity.
///
/// The metrics are those of trec_eval, as MTEB reports them: the gain of a passage is its grade,
/// and precisions are averaged over all relevant passages.
struct Ranking: Equatable {
    /// The rank and the grade of each relevant passage, by rank.
    ///
    /// Ranks start at 1.
    let found: [Place]

    /// The rank of a relevant passage, and the grade of its relevance, at least 1.
    struct Place: Equatable {
        let rank: Int
        let grade: Int
    }

    /// Finds the relevant passages in the order of all passages.
    ///
    /// Of two passages with equal similarities, the passage with the larger index comes first, as
    /// in trec_eval, whose indices are ordered like the ids.
    ///
    /// - Parameters:
    ///   - similarities: The similarity of each passage.
    ///   - grades: The grades of the relevant passages by index, at least one.
    ///   - excluded: A passage that is not in the list; nil for none.
    init(_ similarities: ArraySlice<Double>, grades: [Int: Int], excluding excluded: Int? = nil) {
        let first = similarities.startIndex
        found = grades.filter { $0.key != excluded }.map { passage, grade in
            let own = similarities[first + passage]
            var rank = 1
            for place in similarities.indices where place != first + passage {
                let other = similarities[place]
                let isBefore = other > own || other == own && place > first + passage
                if isBefore, place - first != excluded { rank += 1 }
            }
            return Place(rank: rank, grade: grade)
        }.sorted { $0.rank < $1.rank }
    }

    /// The normalised discounted cumulative gain of the first `count` passages.
    ///
    /// Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002.
    func ndcg(at count: Int) -> Double {
        let ideal = found.map(\.grade).sorted(by: >).prefix(count).enumerated().reduce(0) {
            $0 + Double($1.element) / log2(Double($1.offset + 2))
        }
        let gain = found.prefix { $0.rank <= count }.reduce(0) {
            $0 + Double($1.grade) / log2(Double($1.rank + 1))
        }
        return ideal == 0 ? 0 : gain / ideal
    }

    /// The mean over relevant passages of the precision at their ranks; 0 beyond rank `count`.
    func averagePrecision(at count: Int = .max) -> Double {
        let precisions = found.enumerated().map { index, place in
            place.rank <= count ? Double(index + 1) / Double(place.rank) : 0
        }
        return precisions.mean
    }

    /// The fraction of relevant passages among the first `count` passages.
    func recall(at count: Int) -> Double {
        found.map { $0.rank <= count ? 1 : 0 }.mean
    }

    /// 1 divided by the rank of the first relevant passage; 0 beyond rank `count`.
    func reciprocalRank(at count: Int = .max) -> Double {
        guard let rank = found.first?.rank, rank <= count else { return 0 }
        return 1 / Double(rank)
    }
}
