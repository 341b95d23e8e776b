public import Tensors
public import Transformers

/// Measures how far the predictions of a changed model are from the dense model's, on calibration
/// text.
///
/// For decoders this is the mean KL divergence of the next-token distributions over likely tokens, in
/// nats. For encoders this is the mean over sequences of `1 − cos` between the two pooled vectors,
/// with the dense model's pooling.
public final class ModelDivergence {
    /// The dense model.
    public let dense: Model

    private let batch: TokenBatch
    private let engine: Engine
    private let reference: Reference

    /// The output of the dense model for the batch.
    private enum Reference {
        case logits(HeadComparison)
        case hidden(Activations)
    }

    /// Runs the dense model, with which other models are compared.
    ///
    /// - Parameters:
    ///   - dense: The dense model.
    ///   - batch: Calibration sequences, a few thousand tokens.
    ///   - engine: The engine to run on.
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

    /// Returns the divergence of a model from the dense model; 0 for the dense model itself.
    ///
    /// - Complexity: A forward pass, and for decoders the output head.
    public func of(_ model: Model) -> Double { record(model).divergence }

    /// Returns a model's divergence, and the residual stream before each of its layers.
    ///
    /// With this stream, models that differ from the model in one layer are measured faster.
    func record(_ model: Model) -> (divergence: Double, entering: [Activations]) {
        var pass = ForwardPass(model, on: engine)
        let recorder = StreamRecorder()
        pass.observer = recorder
        let hidden = pass.hiddenStates(of: batch)
        return (difference(hidden, of: model), recorder.entering)
    }

    /// Returns the divergence of a model, from the residual stream before one of its layers.
    public func of(_ model: Model, from first: Int, entering: Activations) -> Double {
        var pass = ForwardPass(model, on: engine)
        return difference(
            pass.hiddenStates(of: batch, from: first, entering: entering), of: model)
    }

    private func difference(_ hidden: Activations, of model: Model) -> Double {
        switch reference {
        case .logits(let comparison):
            let sharesHead = model.formats.head == dense.formats.head
            return comparison.divergence(of: hidden, headOf: sharesHead ? nil : model)
                / Double(hidden.rows)
        case .hidden(let expected):
            let distances = batch.sequences.map {
                1
                    - cosine(
                        dense.pooling.vector(of: $0, in: hidden),
                        dense.pooling.vector(of: $0, in: expected))
            }
            return distances.reduce(0, +) / Double(distances.count)
        }
    }
}

/// Records the residual stream before each layer.
private final class StreamRecorder: ForwardObserver {
    var entering: [Activations] = []

    func willEnterLayer(_ layer: Int, hidden: Activations) {
        entering.append(hidden)
    }
}
