internal import Foundation
internal import Tensors

/// One run of k-means: clusters whose points are near their mean.
struct KMeans {
    /// The points at which the centres begin.
    let starts: [Int]
    /// The cluster of each point.
    let clusters: [Int]

    /// The maximum number of steps.
    private static let steps = 300

    /// Finds clusters from random starts.
    ///
    /// - Parameters:
    ///   - points: One point in each row.
    ///   - count: The number of clusters, at most the number of points.
    ///   - random: Chooses the starts.
    ///   - pool: The threads to run on.
    init(_ points: Matrix<Double>, count: Int, random: inout SplitMix64, pool: ThreadPool) {
        let starts = Self.starts(
            points, points.squaredLengths, count: count, random: &random, pool: pool)
        self.init(points, from: starts, pool: pool)
    }

    /// Finds clusters with Lloyd's algorithm.
    ///
    /// The steps end when no point changes its cluster. A cluster without points gets the point that
    /// is farthest from its own centre.
    ///
    /// - Parameters:
    ///   - points: One point in each row.
    ///   - starts: The points at which the centres begin.
    ///   - pool: The threads to run on.
    init(_ points: Matrix<Double>, from starts: [Int], pool: ThreadPool) {
        self.starts = starts
        let (sizes, count) = (points.squaredLengths, starts.count)
        var centres = points.selecting(rows: starts)
        var clusters = [Int](repeating: -1, count: points.rows)
        for _ in 0..<Self.steps {
            let distances = Self.distances(points, sizes, to: centres, pool: pool)
            var nearest = (0..<points.rows).map { row in
                let own = distances.row(row)
                return (own.indices.min { (own[$0], $0) < (own[$1], $1) } ?? 0) - own.startIndex
            }
            var members = [Int](repeating: 0, count: count)
            for cluster in nearest { members[cluster] += 1 }
            for cluster in members.indices where members[cluster] == 0 {
                let farthest = (0..<points.rows).filter { members[nearest[$0]] > 1 }.max {
                    (distances[$0, nearest[$0]], $1) < (distances[$1, nearest[$1]], $0)
                }
                guard let farthest else { break }
                members[nearest[farthest]] -= 1
                (nearest[farthest], members[cluster]) = (cluster, 1)
            }
            if nearest == clusters { break }
            clusters = nearest
            centres = Matrix(rows: count, columns: points.columns)
            for (row, cluster) in clusters.enumerated() {
                let weight = 1 / Double(max(members[cluster], 1))
                let place = cluster * points.columns
                for (column, value) in points.row(row).enumerated() {
                    centres.elements[place + column] += weight * value
                }
            }
        }
        self.clusters = clusters
    }

    /// Chooses points as starts: far points are more likely.
    ///
    /// Each start is the best of `2 + log count` candidates, as in scikit-learn. Source: Arthur and
    /// Vassilvitskii, "k-means++: The advantages of careful seeding", 2007.
    private static func starts(
        _ points: Matrix<Double>, _ sizes: [Double], count: Int, random: inout SplitMix64,
        pool: ThreadPool
    ) -> [Int] {
        var chosen = [Int.random(in: 0..<points.rows, using: &random)]
        func distances(_ candidates: [Int]) -> Matrix<Double> {
            self.distances(points, sizes, to: points.selecting(rows: candidates), pool: pool)
        }
        let candidateCount = 2 + Int(log(Double(count)))
        var nearest = distances(chosen).elements.map { max($0, 0) }
        while chosen.count < count {
            let total = nearest.reduce(0, +)
            let candidates = (0..<candidateCount).map { _ in
                var rest = Double.random(in: 0..<1, using: &random) * total
                return nearest.firstIndex {
                    rest -= $0
                    return rest < 0
                } ?? nearest.indices.first { !chosen.contains($0) } ?? 0
            }
            let all = distances(candidates)
            let options = candidates.indices.map { candidate in
                nearest.indices.map { min(nearest[$0], max(all[$0, candidate], 0)) }
            }
            let sums = options.map { $0.reduce(0, +) }
            let best = sums.indices.min { (sums[$0], $0) < (sums[$1], $1) } ?? 0
            chosen.append(candidates[best])
            nearest = options[best]
        }
        return chosen
    }

    /// Returns the squared distance of each point from each centre, `[points, centres]`.
    private static func distances(
        _ points: Matrix<Double>, _ sizes: [Double], to centres: Matrix<Double>, pool: ThreadPool
    ) -> Matrix<Double> {
        var result = points.multiplied(by: centres.transposed, pool: pool)
        let own = centres.squaredLengths
        for row in 0..<points.rows {
            for column in 0..<centres.rows {
                result[row, column] = sizes[row] + own[column] - 2 * result[row, column]
            }
        }
        return result
    }
}

extension Matrix<Double> {
    /// The sum of the squares of each row.
    fileprivate var squaredLengths: [Double] {
        (0..<rows).map { row in self.row(row).reduce(0) { $0 + $1 * $1 } }
    }
}
