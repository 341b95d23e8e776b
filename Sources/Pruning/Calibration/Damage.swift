public import Tensors
public import Transformers

/// How much a changed model differs from the dense one on calibration text.
///
/// For decoders the mean Kullback–Leibler divergence of the next-token distribution among likely
/// words, in nats; for encoders the mean over sequences of 1 minus the cosine between the vectors
/// that the dense model's pooling makes.
public final class Damage {
    /// The dense model.
    public let dense: Model

    private let batch: TokenBatch
    private let engine: Engine
    private let reference: Reference

    /// What the dense model makes of the batch.
    private enum Reference {
        case logits(HeadComparison)
        case hidden(Activations)
    }

    /// Runs the dense model, to compare others with.
    ///
    /// - Parameters:
    ///   - dense: The dense model.
    ///   - batch: Calibration sequences, a few thousand tokens.
    ///   - engine: What to run on.
    public init(from dense: Model, on batch: TokenBatch, engine: Engine) {
        self.dense = dense
        self.batch = batch
        self.engine = engine
        var pass = ForwardPass(dense, on: engine)
        let hidden = pass.hiddenStates(of: batch)
        reference =
            dense.shape.architecture.isEncoder
            ? .hidden(hidden) : .logits(HeadComparison(dense, of: hidden, on: engine))
    }

    /// The damage done to a model; 0 for the dense model itself.
    ///
    /// - Complexity: A forward pass, and for decoders the output head.
    public func of(_ model: Model) -> Double { record(model).damage }

    /// A model's damage and the residual stream before each of its layers, with which models that
    /// differ from it in one layer are judged faster.
    func record(_ model: Model) -> (damage: Double, entering: [Activations]) {
        var pass = ForwardPass(model, on: engine)
        let recorder = StreamRecorder()
        pass.observer = recorder
        let hidden = pass.hiddenStates(of: batch)
        return (difference(hidden), recorder.entering)
    }

    /// The damage done to a model of which the residual stream before some layer is known.
    public func of(_ model: Model, from first: Int, entering: Activations) -> Double {
        var pass = ForwardPass(model, on: engine)
        return difference(pass.hiddenStates(of: batch, from: first, entering: entering))
    }

    private func difference(_ hidden: Activations) -> Double {
        switch reference {
        case .logits(let comparison):
            return comparison.divergence(of: hidden) / Double(hidden.rows)
        case .hidden(let wanted):
            let distances = batch.sequences.map {
                1
                    - cosine(
                        dense.pooling.vector(of: $0, in: hidden),
                        dense.pooling.vector(of: $0, in: wanted))
            }
            return distances.reduce(0, +) / Double(distances.count)
        }
    }
}

/// Keeps the residual stream before each layer.
private final class StreamRecorder: ForwardObserver {
    var entering: [Activations] = []

    func willEnterLayer(_ layer: Int, hidden: Activations) {
        entering.append(hidden)
    }
}
