import Foundation
import Tensors
import TestSupport
import Testing

@testable import Evaluation

/// Metrics against pytrec_eval, scikit-learn and numpy, and against brute force.
@Suite("Metrics of vectors")
struct VectorMetricTests {
    /// Small cases of `scripts/make-vector-fixtures`.
    private struct Fixture: Decodable {
        var rankings: [RankingCase]
        var clusters: [ClusterCase]
        var precisions: [PrecisionCase]
        var shuffles: [ShuffleCase]
        var regressions: [RegressionCase]
        var means: [MeansCase]
    }

    private struct RankingCase: Decodable {
        var similarities: [Double]
        var grades: [String: Int]
        var ndcgAt10, mapAt10, map, recallAt10, recallAt100, mrrAt10: Double
    }

    private struct ClusterCase: Decodable {
        var correct, found: [Int]
        var vMeasure: Double
    }

    private struct PrecisionCase: Decodable {
        var scores: [Double]
        var matches: [Int]
        var ap: Double
    }

    private struct ShuffleCase: Decodable {
        var count, times: Int
        var order: [Int]
    }

    private struct RegressionCase: Decodable {
        var vectors, weights, others: [[Double]]
        var labels, predictions, right: [Int]
        var f1: Double
    }

    private struct MeansCase: Decodable {
        var vectors: [[Double]]
        var starts, clusters: [Int]
    }

    private let fixture: Fixture
    private let pool = ThreadPool(threads: 2)

    init() throws {
        let file = try #require(
            Bundle.module.url(forResource: "Fixtures/vectors", withExtension: "json"))
        fixture = try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: file))
    }

    private func matrix(_ rows: [[Double]]) -> Matrix<Double> {
        Matrix(rows: rows.count, columns: rows[0].count, elements: rows.flatMap(\.self))
    }

    @Test("rankings agree with pytrec_eval, also for equal similarities")
    func rankings() {
        #expect(fixture.rankings.count == 5)
        for wanted in fixture.rankings {
            let grades = wanted.grades.map { (Int($0.key) ?? -1, $0.value) }
            let ranking = Ranking(
                wanted.similarities[...], grades: Dictionary(uniqueKeysWithValues: grades))
            let pairs = [
                (ranking.ndcg(at: 10), wanted.ndcgAt10),
                (ranking.averagePrecision(at: 10), wanted.mapAt10),
                (ranking.averagePrecision(), wanted.map),
                (ranking.recall(at: 10), wanted.recallAt10),
                (ranking.recall(at: 100), wanted.recallAt100),
                (ranking.reciprocalRank(at: 10), wanted.mrrAt10),
            ]
            for (found, value) in pairs { #expect(abs(found - value) < 1e-9) }
        }
    }

    @Test("ranks are the places in a sorted list, without the excluded passage")
    func ranks() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<50 {
            let count = Int.random(in: 2...30, using: &random)
            let values = (0..<count).map { _ in Double(Int.random(in: 0...9, using: &random)) }
            let excluded = Int.random(in: 0..<count, using: &random)
            let order = values.indices.sorted { (values[$0], $0) > (values[$1], $1) }
                .filter { $0 != excluded }
            let grades = Dictionary(uniqueKeysWithValues: values.indices.map { ($0, $0 + 1) })
            let ranking = Ranking(values[...], grades: grades, excluding: excluded)
            #expect(ranking.found.map(\.grade) == order.map { $0 + 1 })
            #expect(ranking.found.map(\.rank) == Array(1..<count))
        }
    }

    @Test("the V-measure agrees with scikit-learn, also without one item")
    func clusters() {
        for wanted in fixture.clusters {
            let table = ClusterTable(wanted.correct, wanted.found)
            #expect(abs(table.vMeasure - wanted.vMeasure) < 1e-9)
            let without = table.vMeasures(omitting: wanted.correct, wanted.found)
            for place in wanted.correct.indices {
                var (correct, found) = (wanted.correct, wanted.found)
                correct.remove(at: place)
                found.remove(at: place)
                #expect(abs(without[place] - ClusterTable(correct, found).vMeasure) < 1e-12)
            }
        }
    }

    @Test("average precision agrees with scikit-learn, also without one pair")
    func precisions() {
        for wanted in fixture.precisions {
            let matches = wanted.matches.map { $0 == 1 }
            func value(_ scores: [Double], _ matches: [Bool], omitting place: Int? = nil) -> Double
            {
                let order = scores.indices.sorted { scores[$0] > scores[$1] }
                return averagePrecision(scores, matches, order: order, omitting: place)
            }
            #expect(abs(value(wanted.scores, matches) - wanted.ap) < 1e-9)
            for place in matches.indices {
                var (scores, others) = (wanted.scores, matches)
                scores.remove(at: place)
                others.remove(at: place)
                let without = value(wanted.scores, matches, omitting: place)
                #expect(without == value(scores, others))
            }
        }
    }

    @Test("the pseudo-values of a mean are the items")
    func jackknife() {
        let items = [0.5, 1, 0, 0.25]
        let without = items.map { (items.reduce(0, +) - $0) / 3 }
        for (found, item) in zip(pseudoValues(of: items.mean, without: without), items) {
            #expect(abs(found - item) < 1e-12)
        }
    }

    @Test("a list is shuffled like numpy's RandomState does")
    func shuffles() {
        for wanted in fixture.shuffles {
            var order = Array(0..<wanted.count)
            for _ in 0..<wanted.times {
                var random = MersenneTwister(seed: 42)
                random.shuffle(&order)
            }
            #expect(order == wanted.order)
        }
    }

    @Test("a draw has the first texts of each label in the shuffled order")
    func draws() {
        let labels = (0..<60).map { $0 % 7 == 0 ? 1 : $0 % 3 == 0 ? 2 : 0 }
        let training = VectorOptions.Training(
            texts: labels.map { "\($0)" }, labels: labels, samples: 4, draws: 3)
        let draws = training.indicesOfDraws
        #expect(Set(draws).count == 3)
        for draw in draws {
            #expect(draw.count == 12 && Set(draw).count == 12)
            for label in 0..<3 { #expect(draw.count { labels[$0] == label } == 4) }
        }
    }

    @Test("logistic regression finds the weights and predictions of scikit-learn")
    func regressions() {
        for wanted in fixture.regressions {
            let model = LogisticRegression(matrix(wanted.vectors), wanted.labels)
            // Intercepts of several labels are only determined up to a constant.
            let shift =
                wanted.weights.count == 1
                ? 0
                : wanted.weights.indices.map {
                    wanted.weights[$0].last! - model.weights.row($0).last!
                }.mean
            for (row, weights) in wanted.weights.enumerated() {
                for (column, value) in weights.enumerated() {
                    let isIntercept = column == weights.count - 1
                    let found = model.weights[row, column] + (isIntercept ? shift : 0)
                    #expect(abs(found - value) < 1e-5)
                }
            }
            let given = model.predictions(of: matrix(wanted.others))
            #expect(given == wanted.predictions)
            #expect(abs(macroF1(given, wanted.right) - wanted.f1) < 1e-9)
        }
    }

    @Test("L-BFGS finds the minimum of a quadratic function with a bad condition")
    func quadratic() {
        let scales = (0..<20).map { pow(10, Double($0) / 6) }
        let found = minimum(of: 20) { point in
            let errors = point.indices.map { point[$0] - Double($0) }
            let value = errors.indices.reduce(0) { $0 + scales[$1] * errors[$1] * errors[$1] / 2 }
            return (value, errors.indices.map { scales[$0] * errors[$0] })
        }
        for (place, value) in found.enumerated() { #expect(abs(value - Double(place)) < 1e-6) }
    }

    @Test("k-means from given starts finds the clusters of scikit-learn")
    func means() {
        for wanted in fixture.means {
            let run = KMeans(matrix(wanted.vectors), from: wanted.starts, pool: pool)
            #expect(run.clusters == wanted.clusters)
        }
    }

    @Test("k-means is repeatable, and finds clusters that are far apart from any start")
    func separated() {
        var random = SplitMix64(seed: 3)
        let rows = (0..<60).map { index in
            (0..<4).map { column in
                (column == index % 4 ? 50 : 0) + Double.random(in: 0..<1, using: &random)
            }
        }
        for seed in 0..<10 as Range<UInt64> {
            var (one, other) = (SplitMix64(seed: seed), SplitMix64(seed: seed))
            let run = KMeans(matrix(rows), count: 4, random: &one, pool: pool)
            let again = KMeans(
                matrix(rows), count: 4, random: &other, pool: ThreadPool(threads: 1))
            #expect(run.clusters == again.clusters && run.starts == again.starts)
            #expect(ClusterTable(rows.indices.map { $0 % 4 }, run.clusters).vMeasure > 0.999_999)
        }
    }

    @Test("equal points fill every cluster")
    func equalPoints() {
        let run = KMeans(
            matrix([[1, 1], [1, 1], [1, 1], [1, 1]]), from: [0, 1, 2], pool: pool)
        #expect(Set(run.clusters) == [0, 1, 2])
    }
}
