public import Tensors

/// Adam's moments of one weight matrix or bias.
///
/// Source: Kingma and Ba, "Adam", arXiv 1412.6980, algorithm 1.
public struct Adam: Sendable {
    /// How much of the mean gradient stays from step to step.
    public static let meanDecay: Float = 0.9
    /// How much of the mean squared gradient stays.
    public static let squareDecay: Float = 0.999

    private(set) var means: [Float]
    private(set) var squares: [Float]
    /// The decays to the power of the steps taken.
    private var meanPower: Float = 1
    private var squarePower: Float = 1

    /// Starts without moments.
    ///
    /// - Parameter count: How many weights there are.
    public init(count: Int) {
        means = [Float](repeating: 0, count: count)
        squares = means
    }

    /// Takes up where a number of steps have led.
    init(means: [Float], squares: [Float], steps: Int) {
        precondition(means.count == squares.count, "moments")
        (self.means, self.squares) = (means, squares)
        for _ in 0..<steps {
            meanPower *= Self.meanDecay
            squarePower *= Self.squareDecay
        }
    }

    /// Takes one step against a gradient, and clears that: memory is passed over once.
    ///
    /// - Parameters:
    ///   - weights: What is to change.
    ///   - gradient: As many values, then 0.
    ///   - rate: How far a weight goes whose gradient is always the same.
    ///   - gradientShare: What the gradient is multiplied with.
    ///   - decay: What weights lose beside, as a share of the rate.
    ///   - pool: The threads to use.
    public mutating func step(
        _ weights: inout [Float], against gradient: inout [Float], rate: Float,
        gradientShare: Float = 1, decay: Float = 0, pool: ThreadPool
    ) {
        precondition(weights.count == means.count && gradient.count == means.count, "moments")
        let (meanDecay, squareDecay) = (Self.meanDecay, Self.squareDecay)
        meanPower *= meanDecay
        squarePower *= squareDecay
        let kept = 1 - rate * decay
        let rate = rate / (1 - meanPower)
        let scale = 1 / (1 - squarePower)
        weights.withUnsafeMutableBufferPointer { weights in
            means.withUnsafeMutableBufferPointer { means in
                squares.withUnsafeMutableBufferPointer { squares in
                    gradient.withUnsafeMutableBufferPointer { gradient in
                        let (weights, gradient) = (weights, gradient)
                        let (means, squares) = (means, squares)
                        pool.split(gradient.count) { range, _ in
                            for index in range {
                                let slope = gradientShare * gradient[index]
                                gradient[index] = 0
                                let mean = meanDecay * means[index] + (1 - meanDecay) * slope
                                let square =
                                    squareDecay * squares[index]
                                    + (1 - squareDecay) * slope * slope
                                means[index] = mean
                                squares[index] = square
                                weights[index] =
                                    kept * weights[index]
                                    - rate * mean / ((square * scale).squareRoot() + 1e-8)
                            }
                        }
                    }
                }
            }
        }
    }
}
