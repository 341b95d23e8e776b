import CKernels

/// What a linear layer does with its product before storing it.
public enum Epilogue: Sendable {
    /// `y = x · Wᵀ + b`
    case store
    /// `y += x · Wᵀ + b`, which closes a residual branch.
    case add
    /// `y = GELU(x · Wᵀ + b)`, with the exact erf.
    case gelu
    /// `y = SiLU(gate) · up`, for weights packed from a gate and an up projection.
    case swiglu

    var kernel: ck_epilogue {
        switch self {
        case .store: ck_epilogue_store
        case .add: ck_epilogue_add
        case .gelu: ck_epilogue_gelu
        case .swiglu: ck_epilogue_swiglu
        }
    }
}

/// The weights of a linear layer in the order in which the kernels read them.
///
/// Panels of 32 outputs, input by input, serve both matrix×matrix and matrix×vector products; the
/// layout is drawn in `gemm_f32.h`.
public struct PackedWeights: Sendable {
    /// Columns of the weight.
    public let inputs: Int
    /// Columns of the product.
    public let outputs: Int

    static let panel = Int(ck_panel)

    let memory: Memory
    let offset: Int
    let hasBias: Bool
    /// Columns of the product that one panel yields.
    let step: Int

    /// The bytes that a product reads.
    public var byteCount: Int {
        (inputs + (hasBias ? 1 : 0)) * panels * Self.panel * MemoryLayout<Float>.stride
    }

    var panels: Int { (outputs + step - 1) / step }

    /// Packs weights `[outputs, inputs]` and a bias of `outputs` values.
    public init(_ weight: Matrix<Float>, bias: [Float]? = nil, in arena: Arena) {
        self.init(
            inputs: weight.columns, outputs: weight.rows, step: Self.panel, hasBias: bias != nil,
            in: arena)
        pack(weight, bias: bias, panelColumns: 0..<Self.panel)
    }

    /// Packs a gate and an up projection, both `[neurons, inputs]`, for ``Epilogue/swiglu``:
    /// every panel holds 16 gates and the 16 ups of the same neurons.
    public init(
        gate: Matrix<Float>, up: Matrix<Float>, gateBias: [Float]? = nil, upBias: [Float]? = nil,
        in arena: Arena
    ) {
        let half = Self.panel / 2
        self.init(
            inputs: gate.columns, outputs: gate.rows, step: half, hasBias: gateBias != nil,
            in: arena)
        pack(gate, bias: gateBias, panelColumns: 0..<half)
        pack(up, bias: upBias, panelColumns: half..<Self.panel)
    }

    private init(inputs: Int, outputs: Int, step: Int, hasBias: Bool, in arena: Arena) {
        let panels = (outputs + step - 1) / step
        let (memory, offset) = arena.allocate((inputs + (hasBias ? 1 : 0)) * panels * Self.panel)
        self.init(
            inputs: inputs, outputs: outputs, step: step, hasBias: hasBias, memory: memory,
            offset: offset)
    }

    /// Weights of other sizes in the same memory, for timing a smaller layer: as many bytes are read
    /// as that layer would read, but the values mean nothing.
    ///
    /// - Precondition: Neither size grows.
    public func resized(inputs: Int, outputs: Int) -> PackedWeights {
        precondition(inputs <= self.inputs && outputs <= self.outputs, "resizing only shrinks")
        return PackedWeights(
            inputs: inputs, outputs: outputs, step: step, hasBias: hasBias, memory: memory,
            offset: offset)
    }

    /// Copies one output's weights, so that a tied embedding needs no second copy.
    func copyRow(_ output: Int, into target: UnsafeMutablePointer<Float>) {
        precondition(output >= 0 && output < outputs && step == Self.panel, "row past weights")
        let first =
            panelsAddress + output / Self.panel * inputs * Self.panel + output % Self.panel
        for input in 0..<inputs { target[input] = first[input * Self.panel] }
    }

    private init(
        inputs: Int, outputs: Int, step: Int, hasBias: Bool, memory: Memory, offset: Int
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.step = step
        self.hasBias = hasBias
        self.memory = memory
        self.offset = offset
    }

    private func pack(_ weight: Matrix<Float>, bias: [Float]?, panelColumns: Range<Int>) {
        let width = panelColumns.count
        weight.elements.withUnsafeBufferPointer { source in
            for panel in 0..<panels {
                let first = panel * width
                ck_best().pointee.pack_rows_f32(
                    source.baseAddress! + first * inputs, inputs,
                    min(width, outputs - first), inputs,
                    memory.floats.baseAddress! + offset + panel * inputs * Self.panel
                        + panelColumns.lowerBound)
            }
        }
        guard let bias else { return }
        let packed = memory.floats.baseAddress! + offset + panels * inputs * Self.panel
        for (output, value) in bias.enumerated() {
            packed[output / width * Self.panel + panelColumns.lowerBound + output % width] = value
        }
    }

    var panelsAddress: UnsafePointer<Float> { UnsafePointer(memory.floats.baseAddress! + offset) }

    var biasAddress: UnsafePointer<Float>? {
        hasBias ? panelsAddress + panels * inputs * Self.panel : nil
    }
}
