internal import Foundation
public import Tensors
public import Transformers

/// How well a decoder predicts text, alone and against the model it was made from.
public struct DecoderQuality: Sendable, Equatable {
    /// Predictions made: one fewer than the tokens of each window.
    public private(set) var predictions = 0
    /// Predictions on which both models would choose the same token.
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

    /// The fraction of predictions on which both models choose the same token; nil without one.
    public var top1: Double? { isCompared ? Double(agreements) / Double(predictions) : nil }

    /// What a model is compared with.
    public struct Reference: Sendable {
        fileprivate let model: Model
        /// Its last hidden states of every window, `[tokens, hidden]`, where they are known.
        fileprivate let states: [Activations]?

        /// A model that runs on every window in turn.
        public static func model(_ model: Model) -> Reference {
            Reference(model: model, states: nil)
        }

        /// Runs a model on windows of text, to compare several others with it.
        ///
        /// - Parameters:
        ///   - model: A decoder.
        ///   - windows: Token windows, few enough for their states to stay in memory.
        ///   - engine: What to run on.
        ///   - progress: Called after each window with the windows done; may throw to stop.
        /// - Returns: The model with its states.
        /// - Throws: What `progress` throws.
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

    /// Evaluates a decoder on windows of text, positions from 0 in each.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - dense: The model to compare with, of the same vocabulary, with states of these windows.
    ///   - windows: Token windows; each predicts all its tokens but the first.
    ///   - observer: Sees, and may change, what flows through the model.
    ///   - engine: What to run on.
    ///   - progress: Called after each window with the windows done; may throw to stop.
    /// - Throws: `NonFiniteError`, and what `progress` throws.
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
        let (choices, wanted) = (engine.largestColumn(logits), engine.largestColumn(reference))
        for (place, row) in rows.enumerated() where row + 1 < window.count {
            divergence += divergences[place]
            if choices[place] == wanted[place] { agreements += 1 }
        }
    }
}
