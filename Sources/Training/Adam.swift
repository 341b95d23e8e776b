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
    /// Pieces whose gradient has always been 0, as of words that no text has had: they have no moments
    /// to read and to write.
    private var isIdle: [Bool]
    private static let piece = 128
    /// The decays to the power of the steps taken.
    private var meanPower: Float = 1
    private var squarePower: Float = 1

    /// Starts without moments.
    ///
    /// - Parameter count: How many weights there are.
    public init(count: Int) {
        means = [Float](repeating: 0, count: count)
        squares = means
        isIdle = [Bool](repeating: true, count: (count + Self.piece - 1) / Self.piece)
    }

    /// Takes up where a number of steps have led.
    init(means: [Float], squares: [Float], steps: Int) {
        precondition(means.count == squares.count, "moments")
        (self.means, self.squares) = (means, squares)
        isIdle = [Bool](
            repeating: false, count: (means.count + Self.piece - 1) / Self.piece)
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
        meanPower *= Self.meanDecay
        squarePower *= Self.squareDecay
        let (kept, scale) = (1 - rate * decay, 1 / (1 - squarePower))
        let rate = rate / (1 - meanPower)
        weights.withUnsafeMutableBufferPointer { weights in
            means.withUnsafeMutableBufferPointer { means in
                squares.withUnsafeMutableBufferPointer { squares in
                    gradient.withUnsafeMutableBufferPointer { gradient in
                        isIdle.withUnsafeMutableBufferPointer { isIdle in
                            let isIdle = isIdle
                            let update = Update(
                                weights: weights, gradient: gradient, means: means,
                                squares: squares, kept: kept, rate: rate,
                                gradientShare: gradientShare, scale: scale)
                            pool.split(isIdle.count) { pieces, _ in
                                for piece in pieces {
                                    let range = Self.places(of: piece, count: gradient.count)
                                    if isIdle[piece], update.rests(at: range) { continue }
                                    isIdle[piece] = false
                                    update.take(at: range)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static func places(of piece: Int, count: Int) -> Range<Int> {
        piece * Self.piece..<min((piece + 1) * Self.piece, count)
    }
}

/// One step of Adam.
private struct Update {
    let weights, gradient, means, squares: UnsafeMutableBufferPointer<Float>
    /// What decay leaves of a weight, and the rate and squares without the start's bias.
    let kept, rate, gradientShare, scale: Float

    /// Whether nothing draws on weights without moments; then they only decay.
    func rests(at places: Range<Int>) -> Bool {
        guard places.allSatisfy({ gradient[$0] == 0 }) else { return false }
        if kept != 1 { for place in places { weights[place] *= kept } }
        return true
    }

    /// Moves weights, and clears their gradient.
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
