import CKernels

/// Weights with which many outputs are computed approximately.
///
/// A weight has 4 bits, an eighth of an f32 weight. The weights of a few inputs have 8 bits.
///
/// `contextual.h` describes the layout.
public struct CoarseWeights: Sendable {
    /// The number of columns of the weight.
    public let inputs: Int
    /// The number of rows of the weight.
    public let outputs: Int
    /// The inputs whose weights have 8 bits.
    ///
    /// These should be the inputs with the largest activations, because the error of a product
    /// grows with the activation.
    public let fineInputs: [Int]
    /// The maximum number of inputs whose weights have 8 bits.
    public static let fineCount = Int(ck_fine_inputs)

    /// The panels, one after another.
    private let memory: Memory

    /// Packs weights `[outputs, inputs]`.
    ///
    /// - Parameters:
    ///   - weight: The weights.
    ///   - fineInputs: The inputs whose weights get 8 bits, in ascending order, at most
    ///     ``fineCount``.
    public init(_ weight: Matrix<Float>, fineInputs: [Int] = []) {
        precondition(fineInputs.count <= Self.fineCount, "there are too many fine inputs")
        precondition(
            zip(fineInputs, fineInputs.dropFirst()).allSatisfy(<),
            "the fine inputs must be in ascending order")
        precondition(
            fineInputs.allSatisfy((0..<weight.columns).contains),
            "the fine inputs must be columns of the weight")
        (inputs, outputs) = (weight.columns, weight.rows)
        self.fineInputs = fineInputs
        let panels = PackedWeights.padded(weight.rows) / PackedWeights.panel
        memory = Memory(count: panels * ck_coarse_panel(inputs) / MemoryLayout<Float>.stride)
        memory.floats.initialize(repeating: 0)
        guard outputs > 0 else { return }
        selectedKernels.pack_rows_coarse(
            weight.elements, inputs, outputs, inputs, fineInputs.map(UInt32.init),
            fineInputs.count, address(ofPanel: 0))
    }

    /// The number of bytes that are read to compute all outputs.
    public var byteCount: Int { memory.floats.count * MemoryLayout<Float>.stride }

    /// The address of a panel, for the kernel.
    func address(ofPanel panel: Int) -> UnsafeMutablePointer<UInt8> {
        (UnsafeMutableRawPointer(memory.floats.baseAddress!) + panel * ck_coarse_panel(inputs))
            .assumingMemoryBound(to: UInt8.self)
    }
}
