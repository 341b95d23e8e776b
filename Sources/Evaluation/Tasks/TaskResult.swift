internal import Foundation

/// The result of a model on a task.
public struct TaskResult: Sendable {
    /// The task's name.
    public let name: String
    /// The main metric, such as `acc`.
    public let metric: String
    /// The value of the metric, a fraction or a correlation.
    public let value: Double
    /// The standard error of the value.
    public let standardError: Double
    /// Further metrics by name.
    public let others: [String: Double]
    /// The main metric of each item; for similarities, the products of the standardised ranks.
    public let scores: [Double]
    /// The similarity that the model finds for each pair; nil for other tasks.
    public var similarities: [Double]?
    /// The choice or label that the model prefers for each item; nil for other tasks.
    public internal(set) var choices: [Int]?
    /// How much larger the log-likelihood of each item's correct choice is than that of the best
    /// other choice; nil for other tasks.
    var margins: [Double]?
    /// The generated answers of each item, one for each turn; nil for other tasks.
    public internal(set) var answers: [[String]]?
    /// The scores of each subject; empty if items have no subjects.
    public internal(set) var subjects: [Subject] = []
    /// What the result leaves out.
    public internal(set) var notes: [String] = []
    /// The texts that are drawn in each run, by index; nil for other tasks.
    ///
    /// They are the training texts of a few-shot classification, or the texts at which k-means
    /// begins.
    public var draws: [[Int]]?
    /// The label or cluster of each text in each run; nil for other tasks.
    public var predictions: [[Int]]?
    /// The generated texts, if there are any.
    let written: [Continuation]

    /// The items of one subject.
    public struct Subject: Sendable, Equatable {
        /// The name of the subject.
        public let name: String
        /// The number of items.
        public let items: Int
        /// The mean of the main metric.
        public let value: Double
    }

    /// Creates a result whose metric is the mean over items.
    init(
        name: String, metric: String, scores: [Double], others: [String: Double] = [:],
        written: [Continuation] = []
    ) {
        self.init(
            name: name, metric: metric, value: scores.mean, standardError: Self.error(of: scores),
            scores: scores, others: others, written: written)
    }

    init(
        name: String, metric: String, value: Double, standardError: Double, scores: [Double],
        others: [String: Double], written: [Continuation] = []
    ) {
        self.written = written
        self.name = name
        self.metric = metric
        self.value = value
        self.standardError = standardError
        self.scores = scores
        self.others = others
    }

    /// Returns the standard error of the mean of scores.
    public static func error(of scores: [Double]) -> Double {
        let count = Double(scores.count)
        guard count > 1 else { return 0 }
        let mean = scores.mean
        let squares = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (squares / (count - 1) / count).squareRoot()
    }

    /// The difference between the results of two models on the same items.
    public struct Difference: Sendable {
        /// The relative change, `value / other - 1`.
        public let relative: Double
        /// The fraction of items that are correct in only one of the results; nil if any score is
        /// neither 0 nor 1.
        public let flips: Double?
        /// The two-sided p-value of the difference, from the mean and the standard deviation of the
        /// items' differences.
        public let pValue: Double
    }

    /// Returns the difference from a result on the same items.
    ///
    /// - Precondition: Both results have the same number of items.
    public func difference(from other: TaskResult) -> Difference {
        precondition(scores.count == other.scores.count, "the results must be of the same items")
        let differences = zip(scores, other.scores).map { $0 - $1 }
        let mean = differences.mean
        let error = Self.error(of: differences)
        let areVerdicts = (scores + other.scores).allSatisfy { $0 == 0 || $0 == 1 }
        let flips = Double(differences.count { $0 != 0 }) / Double(max(differences.count, 1))
        return Difference(
            relative: other.value == 0 ? 0 : value / other.value - 1,
            flips: areVerdicts ? flips : nil,
            pValue: error == 0 ? (mean == 0 ? 1 : 0) : erfc(abs(mean / error) / 2.0.squareRoot()))
    }
}

/// Returns Spearman's correlation of two lists; 1 if both have the same order.
///
/// - Returns: The correlation, and for each place the product of the two standardised ranks. Their
///   mean is the correlation.
func spearman(_ first: [Double], _ second: [Double]) -> (correlation: Double, terms: [Double]) {
    let (a, b) = (standardised(ranks(first)), standardised(ranks(second)))
    let terms = zip(a, b).map { $0 * $1 }
    return (terms.mean, terms)
}

/// Returns Pearson's correlation of two lists.
func pearson(_ first: [Double], _ second: [Double]) -> Double {
    zip(standardised(first), standardised(second)).map { $0 * $1 }.mean
}

/// Returns the rank of each value.
///
/// Equal values all get the mean of their ranks.
private func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var result = [Double](repeating: 0, count: values.count)
    var first = 0
    while first < order.count {
        var last = first
        while last + 1 < order.count, values[order[last + 1]] == values[order[first]] { last += 1 }
        for place in first...last { result[order[place]] = Double(first + last) / 2 }
        first = last + 1
    }
    return result
}

/// Returns the standardised values: minus their mean, divided by their standard deviation.
private func standardised(_ values: [Double]) -> [Double] {
    let count = Double(max(values.count, 1))
    let mean = values.reduce(0, +) / count
    let spread = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
    return values.map { spread == 0 ? 0 : ($0 - mean) / spread }
}
