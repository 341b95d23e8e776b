/// A predictor of the neurons that a token needs in a feed-forward block.
///
/// It needs less computation than the block.
///
/// A neuron is computed if its score is above its threshold in `least`.
public struct NeuronPredictor: Sendable {
    /// The method with which scores are computed.
    enum Method: Sendable {
        /// The score is computed from incoming weights in 4 bits: for ReLU, the input of the ReLU;
        /// otherwise the magnitude of the neuron's value.
        case coarse([CoarseWeights], biases: [[Float]?], Epilogue)
        /// The magnitude of the activated gate, from the weights of all gates.
        case gate(PackedWeights)
        /// `B · (A · x)`, trained to be positive for neurons that are needed.
        case lowRank(PackedWeights, PackedWeights)
    }

    let method: Method
    /// The threshold of each neuron's score.
    public let least: [Float]

    /// Predicts with rounded weights.
    ///
    /// - Parameters:
    ///   - incoming: The incoming weights, each `[neurons, inputs]`. The gate is first if there is
    ///     one.
    ///   - biases: The bias of each incoming weight, or nil.
    ///   - activation: The activation function of the neurons.
    ///   - fineInputs: The inputs whose weights get 8 bits.
    ///   - least: The threshold of each neuron's score.
    public init(
        roundingTo4Bits incoming: [Matrix<Float>], biases: [[Float]?], activation: Epilogue,
        fineInputs: [Int] = [], above least: [Float]
    ) {
        precondition(incoming.allSatisfy { $0.rows == least.count }, "a threshold per neuron")
        method = .coarse(
            incoming.map { CoarseWeights($0, fineInputs: fineInputs) }, biases: biases, activation)
        self.least = least
    }

    /// Predicts with the gates, which are computed for all neurons.
    ///
    /// - Parameters:
    ///   - gate: Shape `[neurons, inputs]`.
    ///   - bias: One value per neuron, or nil.
    ///   - precision: The precision of the stored gate.
    ///   - least: The threshold of each neuron's score.
    ///
    /// Source: Lee et al., "CATS", arXiv 2404.08763.
    public init(
        gate: Matrix<Float>, bias: [Float]?, precision: Precision, above least: [Float]
    ) {
        precondition(gate.rows == least.count, "a threshold per neuron")
        method = .gate(
            PackedWeights(
                gate, bias: bias, precision: precision, in: Arena(regionFloats: 1 << 14)))
        self.least = least
    }

    /// Predicts with a low-rank product, whose weights are stored in 8 bits.
    ///
    /// - Parameters:
    ///   - down: Shape `[rank, inputs]`.
    ///   - up: Shape `[neurons, rank]`.
    ///   - least: The threshold of each neuron's score.
    ///
    /// Source: Liu et al., "Deja Vu", arXiv 2310.17157, section 4.
    public init(down: Matrix<Float>, up: Matrix<Float>, above least: [Float]) {
        precondition(up.columns == down.rows && up.rows == least.count, "a product of low rank")
        let arena = Arena(regionFloats: 1 << 14)
        method = .lowRank(
            PackedWeights(down, precision: .int8, in: arena),
            PackedWeights(up, precision: .int8, activationTerms: 2, in: arena))
        self.least = least
    }

    private init(_ method: Method, above least: [Float]) {
        (self.method, self.least) = (method, least)
    }

    /// The same predictor with other thresholds.
    public func above(_ least: [Float]) -> NeuronPredictor {
        precondition(least.count == self.least.count, "a threshold per neuron")
        return NeuronPredictor(method, above: least)
    }

    /// The number of neurons in a panel.
    ///
    /// Panels of neurons are divided among threads.
    static var panel: Int { PackedWeights.panel }
    /// Whether the predictor computes all gates, so that the block does not compute them again.
    var knowsGates: Bool { if case .gate = method { true } else { false } }
    var panels: Int { (least.count + Self.panel - 1) / Self.panel }
}

/// A feed-forward block in which only the neurons are computed that a predictor selects.
public struct PredictedFeedForward: Sendable {
    let rows: UnitRows
    let biases: [[Float]?]
    let activation: Epilogue
    let outputBias: [Float]?
    /// The predictor that selects the neurons.
    public var predictor: NeuronPredictor
    /// The threshold of each neuron's magnitude: only larger values are added.
    public var least: [Float]

    /// Packs a block.
    ///
    /// - Parameters:
    ///   - incoming: The incoming weights, each `[neurons, inputs]`. The gate is first if there is
    ///     one.
    ///   - biases: The bias of each incoming weight, or nil.
    ///   - activation: The activation function of the neurons.
    ///   - outgoing: The down projection, `[outputs, neurons]`.
    ///   - outputBias: Its bias, or nil.
    ///   - precision: The precision of the stored weights.
    ///   - predictor: The predictor that selects the neurons.
    ///   - least: The threshold of each neuron's magnitude: only larger values are added.
    public init(
        from incoming: [Matrix<Float>], biases: [[Float]?], activation: Epilogue,
        to outgoing: Matrix<Float>, outputBias: [Float]?, precision: Precision,
        predictor: NeuronPredictor, above least: [Float]
    ) {
        precondition(
            incoming.count == (activation == .swiglu ? 2 : 1) && biases.count == incoming.count,
            "a block's projections")
        precondition(
            least.count == outgoing.columns && predictor.least.count == least.count, "neurons")
        let known = predictor.knowsGates ? 1 : 0
        rows = UnitRows(
            from: Array(incoming.dropFirst(known)), to: outgoing, precision: precision)
        self.biases = Array(biases.dropFirst(known))
        (self.activation, self.outputBias) = (activation, outputBias)
        (self.predictor, self.least) = (predictor, least)
    }
}
