internal import Foundation

/// The numbers of items that each correct cluster shares with each found cluster.
struct ClusterTable {
    private var cells: [Cell: Int] = [:]
    private var (correct, found) = ([Int: Int](), [Int: Int]())
    private var total = 0

    private struct Cell: Hashable {
        let correct: Int
        let found: Int
    }

    /// Counts items.
    ///
    /// - Parameters:
    ///   - correct: The correct cluster of each item.
    ///   - found: The cluster that was found for each item.
    init(_ correct: [Int], _ found: [Int]) {
        for (one, other) in zip(correct, found) { add(1, Cell(correct: one, found: other)) }
    }

    private mutating func add(_ count: Int, _ cell: Cell) {
        cells[cell, default: 0] += count
        correct[cell.correct, default: 0] += count
        found[cell.found, default: 0] += count
        total += count
    }

    /// The V-measure: the harmonic mean of homogeneity and completeness.
    ///
    /// Source: Rosenberg and Hirschberg, "V-Measure: A conditional entropy-based external cluster
    /// evaluation measure", 2007.
    var vMeasure: Double {
        let count = Double(total)
        // The order of the sums is fixed, so that equal tables have equal values.
        func entropy(_ counts: [Int: Int]) -> Double {
            var sum = 0.0
            for number in counts.values.sorted() where number > 0 {
                let share = Double(number) / count
                sum -= share * log(share)
            }
            return sum
        }
        var terms: [Double] = []
        for (cell, shared) in cells where shared > 0 {
            let expected = Double(correct[cell.correct] ?? 0) * Double(found[cell.found] ?? 0)
            terms.append(Double(shared) / count * log(Double(shared) * count / expected))
        }
        let information = terms.sorted().reduce(0, +)
        let (given, guessed) = (entropy(correct), entropy(found))
        let homogeneity = given == 0 ? 1 : information / given
        let completeness = guessed == 0 ? 1 : information / guessed
        let sum = homogeneity + completeness
        return sum == 0 ? 0 : 2 * homogeneity * completeness / sum
    }

    /// The V-measure without each of some items.
    ///
    /// - Parameters:
    ///   - correct: The correct cluster of each item.
    ///   - found: The cluster that was found for each item.
    /// - Returns: One V-measure for each item.
    func vMeasures(omitting correct: [Int], _ found: [Int]) -> [Double] {
        var known: [Cell: Double] = [:]
        return zip(correct, found).map { one, other in
            let cell = Cell(correct: one, found: other)
            if let value = known[cell] { return value }
            var table = self
            table.add(-1, cell)
            known[cell] = table.vMeasure
            return table.vMeasure
        }
    }
}
