public import Tensors

/// Adam's moments of one weight matrix or bias.
///
/// Source: Kingma and Ba, "Adam", arXiv 1412.6980, algorithm 1.
public struct Adam: Sendable {
    /// The factor by which the mean gradient decays in one step, β₁.
    public static let meanDecay: Float = 0.9
    /// The factor by which the mean squared gradient decays in one step, β₂.
    public static let squareDecay: Float = 0.999

    private(set) var means: [Float]
    private(set) var squares: [Float]
    /// For each piece of 128 weights, whether its gradient has always been 0, as for tokens that
    /// have not occurred.
    ///
    /// The moments of such a piece are 0, and are neither read nor written.
    private var isIdle: [Bool]
    private static let piece = 128
    /// The decays to the power of the number of steps.
    private var meanPower: Float = 1
    private var squarePower: Float = 1

    /// Creates an optimiser without moments.
    ///
    /// - Parameter count: The number of weights.
    public init(count: Int) {
        means = [Float](repeating: 0, count: count)
        squares = means
        isIdle = [Bool](repeating: true, count: (count + Self.piece - 1) / Self.piece)
    }

    /// Creates an optimiser that resumes after a number of steps.
    init(means: [Float], squares: [Float], steps: Int) {
        precondition(means.count == squares.count, "the moments differ in length")
        (self.means, self.squares) = (means, squares)
        isIdle = [Bool](
            repeating: false, count: (means.count + Self.piece - 1) / Self.piece)
        for _ in 0..<steps {
            meanPower *= Self.meanDecay
            squarePower *= Self.squareDecay
        }
    }

    /// Takes one step against a gradient, and clears the gradient.
    ///
    /// Each value in memory is read once.
    ///
    /// - Parameters:
    ///   - weights: The weights, which are changed.
    ///   - gradient: The gradient, of the same length. It is set to 0.
    ///   - rate: The learning rate: the step of a weight whose gradient is constant.
    ///   - gradientShare: The factor of the gradient.
    ///   - decay: The weight decay: weights are multiplied by 1 - rate · decay.
    ///   - pool: The threads to use.
    public mutating func step(
        _ weights: inout [Float], against gradient: inout [Float], rate: Float,
        gradientShare: Float = 1, decay: Float = 0, pool: ThreadPool
    ) {
        precondition(weights.count == means.count && gradient.count == means.count, "moments")
        meanPower *= Self.meanDecay
        squarePower *= Self.squareDecay
        let (kept, scale) = (1 - rate * decay, 1 / (1 - squarePower))
        let rate = rate / (1 - meanPower)
        let (count, pieces) = (means.count, isIdle.count)
        func run(
            _ weights: UnsafeMutablePointer<Float>, _ gradient: UnsafeMutablePointer<Float>,
            _ means: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>,
            _ isIdle: UnsafeMutablePointer<Bool>
        ) {
            let update = Update(
                weights: weights, gradient: gradient, means: means, squares: squares, kept: kept,
                rate: rate, gradientShare: gradientShare, scale: scale)
            pool.split(pieces) { pieces, _ in
                for piece in pieces {
                    let range = Self.places(of: piece, count: count)
                    if isIdle[piece], update.rests(at: range) { continue }
                    isIdle[piece] = false
                    update.take(at: range)
                }
            }
        }
        run(&weights, &gradient, &means, &squares, &isIdle)
    }

    private static func places(of piece: Int, count: Int) -> Range<Int> {
        piece * Self.piece..<min((piece + 1) * Self.piece, count)
    }
}

/// One step of Adam.
private struct Update {
    let weights, gradient, means, squares: UnsafeMutablePointer<Float>
    /// `kept` is the factor of weight decay.
    ///
    /// `rate` and `scale`, the factor of mean squares, correct for the bias of the first steps.
    let kept, rate, gradientShare, scale: Float

    /// Applies only the weight decay if the gradient of weights without moments is 0, and returns
    /// whether it is 0.
    func rests(at places: Range<Int>) -> Bool {
        guard places.allSatisfy({ gradient[$0] == 0 }) else { return false }
        if kept != 1 { for place in places { weights[place] *= kept } }
        return true
    }

    /// Changes weights and their moments, and clears their gradient.
    func take(at places: Range<Int>) {
        let (meanDecay, squareDecay) = (Adam.meanDecay, Adam.squareDecay)
        for place in places {
            let slope = gradientShare * gradient[place]
            gradient[place] = 0
            let mean = meanDecay * means[place] + (1 - meanDecay) * slope
            let square = squareDecay * squares[place] + (1 - squareDecay) * slope * slope
            means[place] = mean
            squares[place] = square
            weights[place] =
                kept * weights[place] - rate * mean / ((square * scale).squareRoot() + 1e-8)
        }
    }
}
