internal import Foundation
public import Tensors

/// Adam with decoupled weight decay, and gradients cut to a greatest norm.
///
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101.
public struct AdamW: Sendable {
    /// What weights that decay lose in a step, as a share of the rate.
    public var weightDecay: Float = 0.01
    /// The greatest norm of all gradients together; longer ones are shortened.
    public var greatestNorm: Float = 1

    /// Creates an optimiser with usual settings.
    public init() {}

    /// Takes one step of every weight against the gathered gradients, and forgets these.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - rate: The learning rate.
    ///   - engine: What to compute on.
    /// - Returns: The norm of the gradients before they are cut.
    @discardableResult
    public func step(_ model: inout TrainableModel, rate: Float, on engine: Engine) -> Double {
        var squares = 0.0
        model.visit { _, parameter in
            if !parameter.isFrozen { squares += parameter.gradient.squareSum(on: engine.pool) }
        }
        let norm = squares.squareRoot()
        let share = norm > Double(greatestNorm) ? greatestNorm / Float(norm) : 1
        model.visit { _, parameter in
            parameter.step(
                rate: rate, gradientShare: share, decay: weightDecay, pool: engine.pool)
        }
        model.pack(on: engine.pool)
        return norm
    }
}

/// How the learning rate changes over a training: up along a line, then down to nothing.
public enum RateSchedule: String, Sendable, CaseIterable {
    /// Down along half a cosine wave.
    case cosine
    /// Down along a line.
    case linear
    /// It stays.
    case constant

    /// The share of the greatest rate at a step.
    ///
    /// - Parameters:
    ///   - step: The step, from 0.
    ///   - steps: How many there are.
    ///   - warmUp: How many of them rise.
    /// - Returns: From 0 to 1.
    public func share(at step: Int, of steps: Int, warmUp: Int) -> Double {
        if step < warmUp { return Double(step + 1) / Double(warmUp) }
        let done = Double(step - warmUp) / Double(max(steps - warmUp, 1))
        return switch self {
        case .cosine: 0.5 + 0.5 * cos(.pi * min(done, 1))
        case .linear: max(0, 1 - done)
        case .constant: 1
        }
    }
}
