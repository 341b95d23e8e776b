internal import Foundation
public import Tensors

/// Adam with decoupled weight decay and gradient clipping.
///
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101.
public struct AdamW: Sendable {
    /// The weight decay: a step multiplies weights by 1 - rate · weightDecay.
    public var weightDecay: Float = 0.01
    /// The maximum norm of all gradients together; larger gradients are scaled down.
    public var maximumNorm: Float = 1

    /// Creates an optimiser with the default settings.
    public init() {}

    /// Takes one step of every weight against its gradient, and clears the gradients.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - rate: The learning rate.
    ///   - engine: The engine.
    /// - Returns: The norm of the gradients before clipping.
    @discardableResult
    public func step(_ model: inout TrainableModel, rate: Float, on engine: Engine) -> Double {
        var squares = 0.0
        model.visit { _, parameter in
            if !parameter.isFrozen { squares += parameter.gradient.squareSum(on: engine.pool) }
        }
        let norm = squares.squareRoot()
        let share = norm > Double(maximumNorm) ? maximumNorm / Float(norm) : 1
        model.visit { _, parameter in
            parameter.step(
                rate: rate, gradientShare: share, decay: weightDecay, pool: engine.pool)
        }
        model.pack(on: engine.pool)
        return norm
    }
}

/// The schedule of the learning rate after a linear warm-up.
public enum RateSchedule: String, Sendable, CaseIterable {
    /// A decay to 0 along half a cosine wave.
    case cosine
    /// A linear decay to 0.
    case linear
    /// No decay.
    case constant

    /// Returns the fraction of the maximum rate at a step.
    ///
    /// - Parameters:
    ///   - step: The step, from 0.
    ///   - steps: The number of steps.
    ///   - warmUp: The number of warm-up steps.
    /// - Returns: The fraction, from 0 to 1.
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
