/// A predictor of the neurons that a token needs in a feed-forward block.
///
/// The predictor gives every neuron a score, with less computation than the block needs. It
/// selects a neuron if the score is above the neuron's threshold.
public struct NeuronPredictor: Sendable {
    /// The method with which scores are computed.
    enum Method: Sendable {
        /// The score is computed from incoming weights in 4 bits. It is the input of the ReLU, or
        /// the magnitude of the neuron's value for other activation functions.
        case coarse([CoarseWeights], biases: [[Float]?], Epilogue)
        /// The score is the magnitude of the gate after the activation function.
        case gate(PackedWeights, Epilogue)
        /// The score is `B · (A · x)`, trained to be positive for neurons that are needed.
        case lowRank(PackedWeights, PackedWeights)
    }

    let method: Method
    /// The threshold of each neuron's score.
    public let thresholds: [Float]

    /// Creates a predictor that computes scores from rounded weights.
    ///
    /// - Parameters:
    ///   - incoming: The incoming weights, each `[neurons, inputs]`. The gate is first if there is
    ///     one.
    ///   - biases: The bias of each incoming weight, or nil.
    ///   - activation: The activation function of the neurons.
    ///   - fineInputs: The inputs whose weights get 8 bits.
    ///   - thresholds: The threshold of each neuron's score.
    public init(
        roundingTo4Bits incoming: [Matrix<Float>], biases: [[Float]?], activation: Epilogue,
        fineInputs: [Int] = [], above thresholds: [Float]
    ) {
        precondition(
            incoming.allSatisfy { $0.rows == thresholds.count }, "every neuron needs a threshold")
        method = .coarse(
            incoming.map { CoarseWeights($0, fineInputs: fineInputs) }, biases: biases, activation)
        self.thresholds = thresholds
    }

    /// Creates a predictor that computes the gates of all neurons.
    ///
    /// - Parameters:
    ///   - gate: Shape `[neurons, inputs]`.
    ///   - bias: One value per neuron, or nil.
    ///   - activation: The gated activation function of the neurons.
    ///   - precision: The precision of the stored gate.
    ///   - thresholds: The threshold of each neuron's score.
    ///
    /// Source: Lee et al., "CATS", arXiv 2404.08763.
    public init(
        gate: Matrix<Float>, bias: [Float]?, activation: Epilogue, precision: Precision,
        above thresholds: [Float]
    ) {
        precondition(gate.rows == thresholds.count, "every neuron needs a threshold")
        precondition(activation.isGated, "the activation function must be gated")
        method = .gate(
            PackedWeights(
                gate, bias: bias, precision: precision, in: Arena(regionFloats: 1 << 14)),
            activation)
        self.thresholds = thresholds
    }

    /// Creates a predictor that computes a low-rank product with weights in 8 bits.
    ///
    /// - Parameters:
    ///   - down: Shape `[rank, inputs]`.
    ///   - up: Shape `[neurons, rank]`.
    ///   - thresholds: The threshold of each neuron's score.
    ///
    /// Source: Liu et al., "Deja Vu", arXiv 2310.17157, section 4.
    public init(down: Matrix<Float>, up: Matrix<Float>, above thresholds: [Float]) {
        precondition(
            up.columns == down.rows && up.rows == thresholds.count,
            "the factors must have the shapes [rank, inputs] and [neurons, rank]")
        let arena = Arena(regionFloats: 1 << 14)
        method = .lowRank(
            PackedWeights(down, precision: .int8, in: arena),
            PackedWeights(up, precision: .int8, activationTerms: 2, in: arena))
        self.thresholds = thresholds
    }

    private init(_ method: Method, above thresholds: [Float]) {
        (self.method, self.thresholds) = (method, thresholds)
    }

    /// Returns the same predictor with other thresholds.
    public func above(_ thresholds: [Float]) -> NeuronPredictor {
        precondition(thresholds.count == self.thresholds.count, "every neuron needs a threshold")
        return NeuronPredictor(method, above: thresholds)
    }

    /// The number of neurons in a panel.
    ///
    /// Panels of neurons are divided among threads.
    static var panel: Int { PackedWeights.panel }
    /// Whether the predictor computes all gates, so that the block does not compute them again.
    var knowsGates: Bool { if case .gate = method { true } else { false } }
    var panels: Int { (thresholds.count + Self.panel - 1) / Self.panel }
}

/// A feed-forward block that computes only the neurons that a predictor selects.
public struct PredictedFeedForward: Sendable {
    let rows: UnitRows
    let biases: [[Float]?]
    let activation: Epilogue
    let outputBias: [Float]?
    /// The predictor that selects the neurons.
    public var predictor: NeuronPredictor
    /// The threshold of each neuron's value: only larger magnitudes are multiplied with the down
    /// projection.
    public var thresholds: [Float]

    /// Packs a block.
    ///
    /// - Parameters:
    ///   - incoming: The incoming weights, each `[neurons, inputs]`. The gate is first if there is
    ///     one.
    ///   - biases: The bias of each incoming weight, or nil.
    ///   - activation: The activation function of the neurons.
    ///   - outgoing: The down projection, `[outputs, neurons]`.
    ///   - outputBias: The bias of the down projection, or nil.
    ///   - precision: The precision of the stored weights.
    ///   - predictor: The predictor that selects the neurons.
    ///   - thresholds: The threshold of each neuron's value: only larger magnitudes are multiplied
    ///     with the down projection.
    public init(
        from incoming: [Matrix<Float>], biases: [[Float]?], activation: Epilogue,
        to outgoing: Matrix<Float>, outputBias: [Float]?, precision: Precision,
        predictor: NeuronPredictor, above thresholds: [Float]
    ) {
        precondition(
            incoming.count == (activation.isGated ? 2 : 1) && biases.count == incoming.count,
            "there must be one incoming weight, or a gate and an up projection")
        precondition(
            thresholds.count == outgoing.columns && predictor.thresholds.count == thresholds.count,
            "every neuron needs a threshold, in the block and in the predictor")
        let known = predictor.knowsGates ? 1 : 0
        rows = UnitRows(
            from: Array(incoming.dropFirst(known)), to: outgoing, precision: precision)
        self.biases = Array(biases.dropFirst(known))
        (self.activation, self.outputBias) = (activation, outputBias)
        (self.predictor, self.thresholds) = (predictor, thresholds)
    }
}
