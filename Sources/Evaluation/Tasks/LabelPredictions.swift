/// The labels that a model predicted for items, and the correct labels.
struct LabelPredictions {
    private var given: [Int] = []
    private var right: [Int] = []

    mutating func add(_ label: Int, of truth: Int) {
        given.append(label)
        right.append(truth)
    }

    /// Returns accuracy, F1 and Matthews' correlation coefficient.
    ///
    /// If the labels are 0 and 1, F1 is that of label 1, the positive class. Otherwise it is the
    /// macro average: the mean of the F1 of all labels.
    func result(of name: String) -> TaskResult {
        let labels = Set(given + right).sorted()
        let expected = labels.allSatisfy { $0 < 2 } ? [1] : labels
        return TaskResult(
            name: name, metric: "acc", scores: zip(given, right).map { $0 == $1 ? 1 : 0 },
            others: ["f1": expected.map(f1).mean, "mcc": matthews(labels)])
    }

    private func f1(of label: Int) -> Double {
        harmonicMean(
            zip(given, right).count { $0 == label && $1 == label },
            given.count { $0 == label }, right.count { $0 == label })
    }

    /// Returns Matthews' correlation coefficient for any number of labels.
    ///
    /// Source: Gorodkin, "Comparing two K-category assignments by a K-category correlation
    /// coefficient", 2004.
    private func matthews(_ labels: [Int]) -> Double {
        let count = Double(given.count)
        func products(_ first: [Int], _ second: [Int]) -> Double {
            labels.reduce(0) { sum, label in
                sum + Double(first.count { $0 == label }) * Double(second.count { $0 == label })
            }
        }
        let hits = Double(zip(given, right).count { $0 == $1 })
        let (spreadGiven, spreadRight) = (
            count * count - products(given, given), count * count - products(right, right)
        )
        let spread = (spreadGiven * spreadRight).squareRoot()
        return spread == 0 ? 0 : (hits * count - products(given, right)) / spread
    }
}

extension [Double] {
    /// The mean; 0 if empty.
    var mean: Double { isEmpty ? 0 : reduce(0, +) / Double(count) }
}
