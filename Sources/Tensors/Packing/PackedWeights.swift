import CKernels

/// The weights of a linear layer in the order in which the kernels read them.
///
/// A panel contains 32 outputs, input by input. Both matrix×matrix and matrix×vector products read
/// the same panels. `gemm_f32.h`, `gemm_half.h`, `gemm_int8.h`, `gemm_int4.h` and `gemm_bf16x2.h` describe
/// the layouts. `ck_format.h` defines formats.
///
/// Copies share memory until one of them is refilled.
public struct PackedWeights: Sendable {
    /// The number of columns of the weight.
    public let inputs: Int
    /// The number of columns of the product.
    public let outputs: Int
    /// The precision of the stored weights.
    public let precision: Precision
    /// The number of 8-bit terms per activation: 1 (8 bits) or 2 (16 bits, high and low part).
    ///
    /// Float formats ignore this number. With weights in 4 bits, it is for products of many rows;
    /// other products have a scale for each 32 activations.
    public private(set) var activationTerms = 1

    static let panel = Int(ck_panel)

    /// Rounds a number of columns up to whole panels.
    static func padded(_ count: Int) -> Int { (count + panel - 1) / panel * panel }

    /// The number of columns of the product that one panel computes: 32, or 16 for a gate and an up
    /// projection.
    let step: Int
    let hasBias: Bool

    /// The memory, in 32-bit words.
    ///
    /// First, for int8, there are the scale of every output and the sum of its integers. Then, if
    /// there is a bias, there is the bias of every output. The panels are last. The first two parts
    /// have space for `capacity` panels.
    private var piece: Piece
    private let capacity: Int

    /// Packs weights `[outputs, inputs]` and a bias of `outputs` values.
    ///
    /// - Parameters:
    ///   - weight: The weights.
    ///   - bias: One value per output, or nil.
    ///   - precision: The precision of the stored weights.
    ///   - activationTerms: 1 for 8-bit activations. 2 for 16 bits, if 8 bits are too coarse.
    ///   - arena: The arena that allocates the memory.
    public init(
        _ weight: Matrix<Float>, bias: [Float]? = nil, precision: Precision = .f32,
        activationTerms: Int = 1, in arena: Arena
    ) {
        self.init(
            inputs: weight.columns, outputs: weight.rows, precision: precision, step: Self.panel,
            hasBias: bias != nil, in: arena)
        if precision.isInteger { self.activationTerms = activationTerms }
        pack(weight, bias: bias, lanes: 0..<Self.panel)
    }

    /// Packs weights in 4 bits without changing them.
    ///
    /// - Parameters:
    ///   - weight: The weights, `[outputs, inputs]`.
    ///   - bias: One value per output, or nil.
    ///   - activationTerms: 1 for 8-bit activations. 2 for 16 bits, if 8 bits are too coarse.
    ///   - arena: The arena that allocates the memory.
    public init(
        _ weight: Int4Matrix, bias: [Float]? = nil, activationTerms: Int = 1, in arena: Arena
    ) {
        self.init(
            inputs: weight.columns, outputs: weight.rows, precision: .int4, step: Self.panel,
            hasBias: bias != nil, in: arena)
        self.activationTerms = activationTerms
        pack(weight, bias: bias, lanes: 0..<Self.panel)
    }

    /// Packs the transpose of weights `[inputs, outputs]`, which have one row for each input.
    ///
    /// The gradient with respect to a layer's input is a product with its transpose. The precision
    /// is neither int8 nor int4.
    public init(
        transposing weight: Matrix<Float>, precision: Precision = .f32, in arena: Arena
    ) {
        self.init(
            inputs: weight.rows, outputs: weight.columns, precision: precision, step: Self.panel,
            hasBias: false, in: arena)
        refill(transposing: weight)
    }

    /// Packs a gate and an up projection, both `[neurons, inputs]`, for a gated epilogue.
    ///
    /// Every panel contains the weights of 16 neurons: 16 outputs of the gate projection and the
    /// same 16 outputs of the up projection.
    public init(
        gate: Matrix<Float>, up: Matrix<Float>, gateBias: [Float]? = nil, upBias: [Float]? = nil,
        precision: Precision = .f32, in arena: Arena
    ) {
        let half = Self.panel / 2
        self.init(
            inputs: gate.columns, outputs: gate.rows, precision: precision, step: half,
            hasBias: gateBias != nil, in: arena)
        pack(gate, bias: gateBias, lanes: 0..<half)
        pack(up, bias: upBias, lanes: half..<Self.panel)
    }

    /// Packs a gate and an up projection in 4 bits, both `[neurons, inputs]`, without changing
    /// them.
    public init(
        gate: Int4Matrix, up: Int4Matrix, gateBias: [Float]? = nil, upBias: [Float]? = nil,
        in arena: Arena
    ) {
        let half = Self.panel / 2
        self.init(
            inputs: gate.columns, outputs: gate.rows, precision: .int4, step: half,
            hasBias: gateBias != nil, in: arena)
        pack(gate, bias: gateBias, lanes: 0..<half)
        pack(up, bias: upBias, lanes: half..<Self.panel)
    }

    private init(
        inputs: Int, outputs: Int, precision: Precision, step: Int, hasBias: Bool, in arena: Arena
    ) {
        let panels = (outputs + step - 1) / step
        let bytes = Self.bytesPerPanel(precision, inputs: inputs, hasBias: hasBias)
        self.init(
            inputs: inputs, outputs: outputs, precision: precision, step: step, hasBias: hasBias,
            piece: arena.allocate(bytes * panels / MemoryLayout<UInt32>.stride), capacity: panels)
    }

    private init(
        inputs: Int, outputs: Int, precision: Precision, step: Int, hasBias: Bool, piece: Piece,
        capacity: Int
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.precision = precision
        self.step = step
        self.hasBias = hasBias
        self.piece = piece
        self.capacity = capacity
    }

    /// Weights of smaller sizes in the same memory, to time a smaller layer.
    ///
    /// A product reads the same number of bytes as in the smaller layer, but the values are
    /// meaningless.
    ///
    /// - Precondition: Neither size is larger than before.
    public func resized(inputs: Int, outputs: Int) -> PackedWeights {
        precondition(
            inputs <= self.inputs && outputs <= self.outputs,
            "the new sizes must not be larger than the old sizes")
        var resized = PackedWeights(
            inputs: inputs, outputs: outputs, precision: precision, step: step, hasBias: hasBias,
            piece: piece, capacity: capacity)
        resized.activationTerms = activationTerms
        return resized
    }

    /// The number of bytes that a product reads.
    public var byteCount: Int {
        Self.bytesPerPanel(precision, inputs: inputs, hasBias: hasBias) * panels
    }

    var panels: Int { (outputs + step - 1) / step }

    /// The number of 32-bit words of every output in addition to its weights.
    private static func terms(_ precision: Precision, hasBias: Bool) -> Int {
        Int(precision.format.output_terms) + (hasBias ? 1 : 0)
    }

    /// The number of bytes of a panel, and of these words for its outputs.
    private static func bytesPerPanel(
        _ precision: Precision, inputs: Int, hasBias: Bool
    ) -> Int {
        precision.format.panelBytes(inputs)
            + terms(precision, hasBias: hasBias) * panel * MemoryLayout<UInt32>.stride
    }
}

/// Addresses of the parts.
extension PackedWeights {
    /// The address of a panel.
    private func address(ofPanel index: Int) -> UnsafeMutableRawPointer {
        address(ofTerm: Self.terms(precision, hasBias: hasBias), panel: 0)
            + index * precision.format.panelBytes(inputs)
    }

    /// The address of the biases of a panel and all later panels; nil without biases.
    func biases(fromPanel index: Int) -> UnsafePointer<Float>? {
        biasTerms(fromPanel: index).map { UnsafePointer($0) }
    }

    private func biasTerms(fromPanel index: Int) -> UnsafeMutablePointer<Float>? {
        guard hasBias else { return nil }
        return address(ofTerm: Self.terms(precision, hasBias: false), panel: index)
            .assumingMemoryBound(to: Float.self)
    }

    /// A panel and all later panels, with the scales and sums of their outputs, if any.
    func panels(from index: Int) -> ck_weights {
        let terms = terms(fromPanel: index)
        return ck_weights(
            panels: address(ofPanel: index), scales: terms?.scales, sums: terms?.sums)
    }

    /// The scales of the outputs of a panel and all later panels, and the sums of their integers.
    private func terms(
        fromPanel index: Int
    ) -> (scales: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Int32>)? {
        guard precision.format.output_terms > 0 else { return nil }
        return (
            address(ofTerm: 0, panel: index).assumingMemoryBound(to: Float.self),
            address(ofTerm: 1, panel: index).assumingMemoryBound(to: Int32.self)
        )
    }

    private func address(ofTerm term: Int, panel: Int) -> UnsafeMutableRawPointer {
        piece.start + (term * capacity + panel) * Self.panel * MemoryLayout<UInt32>.stride
    }
}

/// Weights in 8 bits with nearly the values of weights in 4 bits.
extension PackedWeights {
    /// Whether these weights can be widened.
    var canWiden: Bool { precision.format.widen != nil && inputs % Int4Matrix.group == 0 }

    /// The number of 32-bit words of the widened weights.
    var widenedWords: Int {
        Self.bytesPerPanel(.int8, inputs: inputs, hasBias: hasBias) * panels
            / MemoryLayout<UInt32>.stride
    }

    /// Weights in int8 with the sizes and biases of these, whose panels ``widen(_:into:)`` fills.
    func widened(in piece: Piece) -> PackedWeights {
        var widened = PackedWeights(
            inputs: inputs, outputs: outputs, precision: .int8, step: step, hasBias: hasBias,
            piece: piece, capacity: panels)
        widened.activationTerms = activationTerms
        return widened
    }

    /// Writes some panels of widened weights.
    func widen(_ panels: Range<Int>, into widened: PackedWeights) {
        let bytes = Precision.int8.format.panelBytes(inputs)
        for panel in panels {
            guard let terms = widened.terms(fromPanel: panel) else { return }
            precision.format.widen?(
                address(ofPanel: panel), inputs, bytes, widened.address(ofPanel: panel),
                terms.scales, terms.sums)
            if let from = biasTerms(fromPanel: panel), let to = widened.biasTerms(fromPanel: panel)
            {
                to.update(from: from, count: Self.panel)
            }
        }
    }
}

/// Writing and reading weights.
extension PackedWeights {
    /// Replaces the weights, in the same memory unless a copy of this value shares it.
    ///
    /// - Precondition: The shape is the same as before. There is a bias if and only if there was a
    ///   bias before. The weights are not a gate and an up projection.
    public mutating func refill(_ weight: Matrix<Float>, bias: [Float]? = nil) {
        precondition(
            weight.rows == outputs && weight.columns == inputs,
            "the new weights must have the same shape")
        precondition(step == Self.panel, "a gate and an up projection cannot be refilled")
        precondition(hasBias == (bias != nil), "a bias is needed if there was a bias before")
        makeUnique()
        pack(weight, bias: bias, lanes: 0..<step)
    }

    /// Replaces the weights by a transpose, in the same memory unless a copy of this value shares
    /// it.
    ///
    /// - Precondition: The shape is the same as before, and there is no bias.
    public mutating func refill(transposing weight: Matrix<Float>) {
        precondition(
            weight.rows == inputs && weight.columns == outputs,
            "the new weights must have the transposed shape")
        precondition(step == Self.panel, "a gate and an up projection cannot be refilled")
        precondition(!hasBias, "weights with a bias cannot be refilled by a transpose")
        makeUnique()
        precision.format.packColumns(
            of: weight.elements, stride: outputs, rows: inputs, columns: outputs,
            into: address(ofPanel: 0))
    }

    /// Allocates new memory if a copy of this value shares the memory.
    private mutating func makeUnique() {
        if !isKnownUniquelyReferenced(&piece) {
            piece = Arena(regionFloats: 0).allocate(piece.count)
        }
    }

    /// Packs rows into some lanes of every panel.
    private mutating func pack(_ weight: Matrix<Float>, bias: [Float]?, lanes: Range<Int>) {
        let (format, first) = (precision.format, lanes.lowerBound)
        guard format.pack_blocks == nil else {
            return pack(Int4Matrix(rounding: weight), bias: bias, lanes: lanes)
        }
        withPointers(reading: weight.elements) { source in
            for panel in 0..<panels {
                let output = panel * lanes.count
                let terms = terms(fromPanel: panel)
                format.packRows(
                    source + output * inputs, stride: inputs,
                    rows: min(lanes.count, outputs - output), columns: inputs,
                    into: address(ofPanel: panel) + first * MemoryLayout<UInt32>.stride,
                    scales: terms.map { $0.scales + first }, sums: terms.map { $0.sums + first })
            }
        }
        pack(bias: bias, lanes: lanes)
    }

    /// Packs rows of blocks into some lanes of every panel.
    private mutating func pack(_ weight: Int4Matrix, bias: [Float]?, lanes: Range<Int>) {
        precondition(weight.rows == outputs && weight.columns == inputs, "packed shape")
        let rowBytes = weight.rowBytes
        withPointers(reading: weight.blocks) { blocks in
            for panel in 0..<panels {
                let output = panel * lanes.count
                precision.format.pack_blocks?(
                    blocks + output * rowBytes, min(lanes.count, outputs - output), inputs,
                    lanes.lowerBound, address(ofPanel: panel))
            }
        }
        pack(bias: bias, lanes: lanes)
    }

    private mutating func pack(bias: [Float]?, lanes: Range<Int>) {
        guard let bias, let packed = biasTerms(fromPanel: 0) else { return }
        precondition(bias.count == outputs, "every output needs a bias")
        for (output, value) in bias.enumerated() {
            packed[
                output / lanes.count * Self.panel + lanes.lowerBound + output % lanes.count] = value
        }
    }

    /// Copies the weights of one output.
    ///
    /// A tied embedding reads its rows with this function, so the rows are stored only once.
    func copyRow(_ output: Int, into target: UnsafeMutablePointer<Float>) {
        precondition(output >= 0 && output < outputs, "the output must be a row of the weights")
        precondition(step == Self.panel, "rows of a gate and an up projection cannot be copied")
        let (panel, lane) = (output / Self.panel, output % Self.panel)
        precision.format.unpack_row(
            address(ofPanel: panel), lane, inputs, terms(fromPanel: panel)?.scales[lane] ?? 1,
            target)
    }
}
