public import Tensors
public import Transformers

/// How much a changed model differs from the dense one on calibration text.
///
/// For decoders the mean Kullback–Leibler divergence of the next-token distribution, in nats; for
/// encoders the mean over sequences of 1 minus the cosine between the mean hidden states.
public final class Damage {
    /// The dense model.
    public let dense: Model

    private let batch: TokenBatch
    private let engine: Engine
    /// The dense model's last hidden states.
    private var wanted = Activations()
    /// The dense model's residual stream before each layer.
    fileprivate var entering: [Activations] = []

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
        let recorder = StreamRecorder()
        pass.observer = recorder
        wanted = pass.hiddenStates(of: batch)
        entering = recorder.entering
    }

    /// The damage done to a model that is dense before some layer; 0 for the dense model itself.
    ///
    /// - Parameters:
    ///   - model: The changed model.
    ///   - first: The first layer that differs.
    /// - Returns: The damage.
    /// - Complexity: A forward pass from that layer on, and for decoders two output heads.
    public func of(_ model: Model, changedFrom first: Int = 0) -> Double {
        var pass = ForwardPass(model, on: engine)
        let hidden = pass.hiddenStates(of: batch, from: first, entering: entering[first])
        switch model.shape.architecture {
        case .llama:
            let head = HeadComparison(dense, on: engine)
            return head.divergence(of: hidden, from: wanted) / Double(hidden.rows)
        case .bert:
            let distances = batch.sequences.map {
                1 - cosine(hidden.mean(of: $0), wanted.mean(of: $0))
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

extension Activations {
    /// The mean of some rows.
    fileprivate func mean(of rows: Range<Int>) -> ArraySlice<Float> {
        var sum = [Float](repeating: 0, count: columns)
        for row in rows {
            for (column, value) in self.row(row).enumerated() { sum[column] += value }
        }
        return sum.map { $0 / Float(rows.count) }[...]
    }
}
