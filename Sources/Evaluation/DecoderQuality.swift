internal import Foundation
public import Tensors
public import Transformers

/// The quality of a decoder's predictions: its perplexity, and its divergence from another model.
public struct DecoderQuality: Sendable, Equatable {
    /// The number of predictions: for each window the number of its tokens minus 1.
    public private(set) var predictions = 0
    /// The number of predictions with the same most likely token in both models.
    public private(set) var agreements = 0
    private var negativeLogLikelihood = 0.0
    private var divergence = 0.0
    private let isCompared: Bool

    /// The mean negative log-likelihood of the tokens, in nats.
    public var meanNLL: Double { negativeLogLikelihood / Double(predictions) }

    /// The exponential of the mean negative log-likelihood.
    public var perplexity: Double { exp(meanNLL) }

    /// The mean Kullback–Leibler divergence from the other model, in nats; nil without one.
    public var kl: Double? { isCompared ? divergence / Double(predictions) : nil }

    /// The fraction of predictions with the same most likely token in both models; nil without
    /// another model.
    public var top1: Double? { isCompared ? Double(agreements) / Double(predictions) : nil }

    /// The model that other models are compared with.
    public struct Reference: Sendable {
        fileprivate let model: Model
        /// The model's last hidden states of every window, `[tokens, hidden]`; nil if they are not
        /// stored.
        fileprivate let states: [Activations]?

        /// Returns a reference whose model runs on each window during the comparison.
        public static func model(_ model: Model) -> Reference {
            Reference(model: model, states: nil)
        }

        /// Runs a model on windows of text, so that several other models can be compared with it.
        ///
        /// - Parameters:
        ///   - model: A decoder.
        ///   - windows: Token windows. Their states must fit in memory.
        ///   - engine: The engine to run on.
        ///   - progress: Called with the number of windows done; may throw to stop.
        /// - Returns: The reference with its states.
        /// - Throws: The error of `progress`.
        public static func states(
            of model: Model, on windows: [[Int32]], engine: Engine,
            progress: (Int) throws -> Void = { _ in }
        ) rethrows -> Reference {
            var pass = ForwardPass(model, on: engine)
            let states = try windows.enumerated().map { index, window in
                let states = pass.hiddenStates(of: TokenBatch([window]))
                try progress(index + 1)
                return states
            }
            return Reference(model: model, states: states)
        }
    }

    /// Evaluates a decoder on windows of text.
    ///
    /// Positions begin at 0 in each window.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - dense: The model to compare with, which must have the same vocabulary. If its states are
    ///     stored, they must be of these windows.
    ///   - windows: Token windows. All tokens of a window except the first are predicted.
    ///   - observer: Observes, and may change, the activations of the model.
    ///   - engine: The engine to run on.
    ///   - progress: Called with the number of windows done; may throw to stop.
    /// - Throws: `NonFiniteError`, or the error of `progress`.
    public init(
        of model: Model, against dense: Reference? = nil, on windows: [[Int32]],
        through observer: (any ForwardObserver)? = nil, engine: Engine,
        progress: (Int) throws -> Void = { _ in }
    ) throws {
        isCompared = dense != nil
        var pass = ForwardPass(model, on: engine)
        pass.observer = observer
        var densePass = dense.map { ForwardPass($0.model, on: engine) }
        for (index, window) in windows.enumerated() {
            let batch = TokenBatch([window])
            var reference: [Activations] = []
            if let states = dense?.states?[index] {
                densePass?.logits(from: states) { _, logits in reference.append(logits) }
            } else {
                densePass?.logits(of: batch) { _, logits in reference.append(logits) }
            }
            var part = 0
            pass.logits(of: batch) { rows, logits in
                add(logits, rows: rows, of: window, engine: engine)
                if !reference.isEmpty {
                    compare(logits, with: reference[part], rows: rows, of: window, engine: engine)
                    part += 1
                }
            }
            try NonFiniteError.check(
                negativeLogLikelihood + divergence, "the logits of text window \(index + 1)")
            try progress(index + 1)
        }
    }

    private mutating func add(
        _ logits: Activations, rows: Range<Int>, of window: [Int32], engine: Engine
    ) {
        let normalisers = engine.logSumExp(logits)
        for (place, row) in rows.enumerated() where row + 1 < window.count {
            let token = Int(window[row + 1])
            negativeLogLikelihood += normalisers[place] - Double(logits[place, token])
            predictions += 1
        }
    }

    private mutating func compare(
        _ logits: Activations, with reference: Activations, rows: Range<Int>,
        of window: [Int32], engine: Engine
    ) {
        let divergences = engine.divergence(of: logits, from: reference)
        let (choices, expected) = (engine.largestColumn(logits), engine.largestColumn(reference))
        for (place, row) in rows.enumerated() where row + 1 < window.count {
            divergence += divergences[place]
            if choices[place] == expected[place] { agreements += 1 }
        }
    }
}
