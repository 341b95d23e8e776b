public import Tensors
public import Transformers

/// Runs calibration text through a model and collects the statistics that pruning needs.
///
/// The text goes through one layer after another, so only one layer's weights and moments are in
/// memory. The statistics are:
/// - for every component the second moments `E[x xᵀ]` of the inputs of its last projection.
///   Products of one batch are f32, or two terms in bfloat16; see ``Engine/addGram(of:to:from:)``.
///   Sums over batches are f64. `x` ends in the constant 1, for the bias
///   and the means.
/// - for every layer the block influence, `1 − E[cos(h, h′)]` of the residual stream before and
///   after it (Men et al., "ShortGPT", arXiv 2403.03853).
/// - for every channel of the residual stream its root mean square in the inputs of the layers.
public final class Calibration: ForwardObserver {
    /// The number of tokens of the text.
    public let tokens: Int
    /// The sizes of the model.
    public let shape: ModelShape
    /// The block influence of every layer so far; it is small for layers that change the stream
    /// little.
    public private(set) var blockInfluence: [Double] = []
    /// For every layer so far the mean square norm of the residual stream after it.
    public private(set) var streamSquares: [Double] = []
    /// For every channel the root mean square of the layers' inputs, summed over the layers so far.
    ///
    /// In models with pre-norms these are the normalised inputs (Muralidharan et al., "Minitron",
    /// arXiv 2407.14679, section 2.2).
    public private(set) var channelNorms: [Double]

    private let weights: any WeightSource
    private let batches: [TokenBatch]
    private let engine: Engine
    private let embeddings: Model
    /// The residual streams of the batches before the next layer.
    private var streams: [Activations]
    private var moments: [Component: SecondMoments] = [:]

    /// Prepares text for the first layer.
    ///
    /// - Parameters:
    ///   - weights: The dense weights, read one layer at a time.
    ///   - batches: Batches of sequences, with a few thousand tokens each.
    ///   - engine: The engine to compute on.
    /// - Throws: Errors of reading the weights.
    public init(_ weights: any WeightSource, on batches: [TokenBatch], engine: Engine) throws {
        self.weights = weights
        self.batches = batches
        self.engine = engine
        shape = weights.shape
        tokens = batches.reduce(0) { $0 + $1.ids.count }
        channelNorms = [Double](repeating: 0, count: weights.shape.hiddenSize)
        embeddings = try Model(embeddingsOf: weights)
        var pass = ForwardPass(embeddings, on: engine)
        streams = batches.map { pass.embedded($0) }
    }

    /// Runs the text through the next layer.
    ///
    /// - Parameter progress: Called after each batch with the fraction of the layer that is done;
    ///   may throw to stop. After that, the calibration cannot be used.
    /// - Returns: The moments of the layer's components, symmetric; nil after the last layer.
    /// - Throws: ``SurgeonError`` if the stream or a moment is not finite, errors of reading the
    ///   weights, and errors of `progress`.
    public func next(
        progress: (Double) throws -> Void = { _ in }
    ) throws -> [Component: Matrix<Double>]? {
        let index = blockInfluence.count
        guard index < shape.layers.count else { return nil }
        var pass = ForwardPass(
            embeddings.replacing(
                layer: index, with: try weights.layer(index), sizes: shape.layers[index]),
            on: engine)
        pass.observer = self
        let first = shape.components.first { $0.layer == index }
        var channels = [Double](repeating: 0, count: shape.hiddenSize)
        var (influence, squares) = (0.0, 0.0)
        for (place, batch) in batches.enumerated() {
            let before = streams[place]
            if let first {
                let entry = pass.entry(of: first, entering: before)
                for row in 0..<entry.rows {
                    for (channel, value) in entry.row(row).enumerated() {
                        channels[channel] += Double(value) * Double(value)
                    }
                }
            }
            let after = pass.stream(after: index, of: batch, entering: before)
            for row in 0..<after.rows {
                influence += 1 - cosine(before.row(row), after.row(row))
                squares += after.row(row).reduce(0) { $0 + Double($1) * Double($1) }
            }
            streams[place] = after
            try progress(Double(place + 1) / Double(batches.count))
        }
        let scale = 1 / Double(max(tokens, 1))
        guard squares.isFinite else { throw SurgeonError.streamNotFinite(layer: index) }
        blockInfluence.append(influence * scale)
        streamSquares.append(squares * scale)
        for (channel, sum) in channels.enumerated() {
            channelNorms[channel] += (sum * scale).squareRoot()
        }
        var result: [Component: Matrix<Double>] = [:]
        // One at a time, because they are large.
        for component in Array(moments.keys) {
            let mean = moments.removeValue(forKey: component)?.mean()
            if let mean, !(0..<mean.rows).allSatisfy({ mean[$0, $0].isFinite }) {
                throw SurgeonError.momentsNotFinite(component)
            }
            result[component] = mean
        }
        return result
    }

    /// Adds the inputs of one component.
    public func willProject(_ component: Component, inputs: Activations) {
        let ones = Activations(rows: inputs.rows, columns: 1, repeating: 1)
        moments[component, default: SecondMoments()]
            .add(engine.joined([inputs, ones]), on: engine)
    }
}
