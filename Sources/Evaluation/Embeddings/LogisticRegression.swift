internal import Foundation
internal import Tensors

/// A classifier of vectors: multinomial logistic regression, or binary for two labels.
///
/// It minimises the sum of the negative log-likelihoods plus half the sum of the squared weights, as
/// scikit-learn does with `C = 1`. Intercepts have no penalty. Two labels share one row of weights.
struct LogisticRegression {
    /// One row of weights for each label; one row for two labels.
    ///
    /// The last column is the intercept.
    let weights: Matrix<Double>
    private let labels: [Int]

    /// Fits the weights to vectors.
    ///
    /// - Parameters:
    ///   - vectors: One vector in each row, at least one.
    ///   - truth: The label of each vector, of at least two labels.
    init(_ vectors: Matrix<Double>, _ truth: [Int]) {
        labels = Set(truth).sorted()
        let places = Dictionary(uniqueKeysWithValues: labels.enumerated().map { ($1, $0) })
        let problem = LogisticProblem(
            vectors: vectors, targets: truth.map { places[$0] ?? 0 },
            rows: labels.count == 2 ? 1 : labels.count)
        weights = Matrix(
            rows: problem.rows, columns: vectors.columns + 1,
            elements: minimum(of: problem.count, problem.value))
    }

    /// Returns the most likely label of each vector.
    func predictions(of vectors: Matrix<Double>) -> [Int] {
        (0..<vectors.rows).map { row in
            let scores = weights.scores(of: vectors.row(row))
            return scores.count == 1 ? labels[scores[0] > 0 ? 1 : 0] : labels[scores.argmax ?? 0]
        }
    }
}

extension Matrix<Double> {
    /// Returns the scores of a vector: its products with all rows, whose last column is added.
    fileprivate func scores(of vector: ArraySlice<Double>) -> [Double] {
        (0..<rows).map { row in
            var sum = elements[(row + 1) * columns - 1]
            var place = row * columns
            for value in vector {
                sum += value * elements[place]
                place += 1
            }
            return sum
        }
    }
}

/// The loss of a logistic regression as a function of its weights.
private struct LogisticProblem {
    let vectors: Matrix<Double>
    let targets: [Int]
    let rows: Int

    /// The number of weights.
    var count: Int { rows * (vectors.columns + 1) }

    /// Returns the loss and its gradient.
    func value(_ elements: [Double]) -> (Double, [Double]) {
        let columns = vectors.columns + 1
        let weights = Matrix(rows: rows, columns: columns, elements: elements)
        var loss = 0.0
        var gradient = [Double](repeating: 0, count: count)
        for row in 0..<rows {
            for place in row * columns..<(row + 1) * columns - 1 {
                loss += elements[place] * elements[place] / 2
                gradient[place] = elements[place]
            }
        }
        for index in 0..<vectors.rows {
            let vector = vectors.row(index)
            var scores = weights.scores(of: vector)
            // The negative class of two has the score 0.
            if rows == 1 { scores.insert(0, at: 0) }
            let largest = scores.max() ?? 0
            let exponentials = scores.map { exp($0 - largest) }
            let sum = exponentials.reduce(0, +)
            loss += log(sum) + largest - scores[targets[index]]
            for row in 0..<rows {
                let label = rows == 1 ? 1 : row
                let error = exponentials[label] / sum - (targets[index] == label ? 1 : 0)
                var place = row * columns
                for value in vector {
                    gradient[place] += error * value
                    place += 1
                }
                gradient[place] += error
            }
        }
        return (loss, gradient)
    }
}

/// Finds the minimum of a smooth convex function with L-BFGS, from the origin.
///
/// The search ends when no component of the gradient exceeds 1e-7, or the value cannot fall further.
/// Source: Nocedal and Wright, "Numerical Optimization", 2006, algorithm 7.4.
///
/// - Parameters:
///   - count: The number of variables.
///   - function: Returns the value and the gradient at a point.
/// - Returns: The point of the minimum.
func minimum(of count: Int, _ function: ([Double]) -> (Double, [Double])) -> [Double] {
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    var point = [Double](repeating: 0, count: count)
    var (value, gradient) = function(point)
    var pairs: [(step: [Double], change: [Double], product: Double)] = []
    for _ in 0..<2000 {
        guard gradient.contains(where: { abs($0) > 1e-7 }) else { break }
        var direction = gradient
        var factors: [Double] = []
        for pair in pairs.reversed() {
            let factor = dot(pair.step, direction) / pair.product
            factors.append(factor)
            for place in direction.indices { direction[place] -= factor * pair.change[place] }
        }
        if let last = pairs.last {
            let scale = last.product / dot(last.change, last.change)
            for place in direction.indices { direction[place] *= scale }
        } else {
            let scale = 1 / max(1, dot(gradient, gradient).squareRoot())
            for place in direction.indices { direction[place] *= scale }
        }
        for (pair, factor) in zip(pairs, factors.reversed()) {
            let other = factor - dot(pair.change, direction) / pair.product
            for place in direction.indices { direction[place] += other * pair.step[place] }
        }
        let slope = dot(gradient, direction)
        guard slope > 0 else { break }
        var length = 1.0
        var next: (point: [Double], value: Double, gradient: [Double])?
        while length > 1e-12 {
            let trial = point.indices.map { point[$0] - length * direction[$0] }
            let (trialValue, trialGradient) = function(trial)
            if trialValue <= value - 1e-4 * length * slope {
                next = (trial, trialValue, trialGradient)
                break
            }
            length /= 2
        }
        guard let next else { break }
        let step = point.indices.map { next.point[$0] - point[$0] }
        let change = point.indices.map { next.gradient[$0] - gradient[$0] }
        let product = dot(step, change)
        if product > 0 { pairs.append((step, change, product)) }
        if pairs.count > 10 { pairs.removeFirst() }
        (point, value, gradient) = next
    }
    return point
}
