/// Returns the average precision of scores that should be larger for matches.
///
/// Pairs with equal scores are found together, as in scikit-learn.
///
/// - Parameters:
///   - scores: The score of each pair.
///   - matches: Whether each pair is a match.
///   - order: The pairs by descending score.
///   - omitted: A pair that is not counted; nil for none.
/// - Returns: The sum over scores of the precision times the increase of recall; 0 without a match.
func averagePrecision(
    _ scores: [Double], _ matches: [Bool], order: [Int], omitting omitted: Int? = nil
) -> Double {
    var (sum, hits, count, place) = (0.0, 0, 0, 0)
    while place < order.count {
        let score = scores[order[place]]
        let before = hits
        while place < order.count, scores[order[place]] == score {
            if order[place] != omitted {
                count += 1
                if matches[order[place]] { hits += 1 }
            }
            place += 1
        }
        if hits > before { sum += Double(hits - before) * Double(hits) / Double(count) }
    }
    return hits == 0 ? 0 : sum / Double(hits)
}

/// Returns the jackknife's pseudo-value of each item, for a metric that is not a mean over items.
///
/// The standard error of their mean is the standard error of the metric. Source: Tukey, "Bias and
/// confidence in not-quite large samples", 1958.
///
/// - Parameters:
///   - value: The metric of all items.
///   - without: The metric without each item.
/// - Returns: One value for each item.
func pseudoValues(of value: Double, without: [Double]) -> [Double] {
    let count = Double(without.count)
    return without.map { count * value - (count - 1) * $0 }
}
