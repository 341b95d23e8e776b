import CKernels

/// A first look at many outputs: weights in 4 bits, an eighth of f32, but for a few inputs in 8.
///
/// The layout is drawn in `contextual.h`.
public struct CoarseWeights: Sendable {
    /// Columns of the weight.
    public let inputs: Int
    /// Rows of the weight.
    public let outputs: Int
    /// The inputs whose weights have 8 bits: those of the greatest activations, since errors of
    /// weights grow with them.
    public let fineInputs: [Int]
    /// How many such inputs there can be.
    public static let fineCount = Int(ck_fine_inputs)

    /// For every output of whole panels its scale and the sum of its integers, then the panels.
    private let memory: Memory
    /// The same of the fine inputs.
    private let fine: Memory

    /// Packs weights `[outputs, inputs]`.
    ///
    /// - Parameters:
    ///   - weight: The weights.
    ///   - fineInputs: The inputs that are to have 8 bits, at most ``fineCount``.
    public init(_ weight: Matrix<Float>, fineInputs: [Int] = []) {
        precondition(fineInputs.count <= Self.fineCount, "too many fine inputs")
        (inputs, outputs) = (weight.columns, weight.rows)
        self.fineInputs = fineInputs
        let padded = PackedWeights.padded(weight.rows)
        memory = Memory(count: padded * (2 + (weight.columns + 7) / 8))
        memory.floats.initialize(repeating: 0)
        fine = Memory(count: padded * (2 + Self.fineCount / 4))
        fine.floats.initialize(repeating: 0)
        var rest = weight.elements
        var chosen = [Float](repeating: 0, count: outputs * Self.fineCount)
        for output in 0..<outputs {
            for (place, input) in fineInputs.enumerated() {
                swap(&rest[output * inputs + input], &chosen[output * Self.fineCount + place])
            }
        }
        guard outputs > 0 else { return }
        let kernels = ck_best().pointee
        let (coarse, exact) = (kernelWeights(fromPanel: 0), fineWeights(fromPanel: 0))
        kernels.pack_rows_int4(
            rest, inputs, outputs, inputs, UnsafeMutablePointer(mutating: coarse.panels),
            UnsafeMutablePointer(mutating: coarse.scales),
            UnsafeMutablePointer(mutating: coarse.sums))
        kernels.pack_rows_int8(
            chosen, Self.fineCount, outputs, Self.fineCount,
            UnsafeMutablePointer(mutating: exact.panels),
            UnsafeMutablePointer(mutating: exact.scales), UnsafeMutablePointer(mutating: exact.sums)
        )
    }

    /// The bytes that a look at all outputs reads.
    public var byteCount: Int {
        (memory.floats.count + fine.floats.count) * MemoryLayout<Float>.stride
    }

    /// The weights from a panel on, as the kernel takes them.
    func kernelWeights(fromPanel panel: Int) -> ck_int4_weights {
        let parts = parts(of: memory, fromPanel: panel, depth: (inputs + 7) / 8)
        return ck_int4_weights(
            panels: parts.panels.assumingMemoryBound(to: UInt8.self), scales: parts.scales,
            sums: parts.sums)
    }

    /// Those of the fine inputs.
    func fineWeights(fromPanel panel: Int) -> ck_int8_weights {
        let parts = parts(of: fine, fromPanel: panel, depth: Self.fineCount / 4)
        return ck_int8_weights(
            panels: parts.panels.assumingMemoryBound(to: Int8.self), scales: parts.scales,
            sums: parts.sums)
    }

    /// Where the parts lie, an output having `depth` words in its panel.
    private func parts(
        of memory: Memory, fromPanel panel: Int, depth: Int
    ) -> (panels: UnsafeRawPointer, scales: UnsafePointer<Float>, sums: UnsafePointer<Int32>) {
        let (first, padded) = (panel * PackedWeights.panel, PackedWeights.padded(outputs))
        let start = UnsafePointer(memory.floats.baseAddress!)
        return (
            UnsafeRawPointer(start + 2 * padded + first * depth), start + first,
            UnsafeRawPointer(start + padded + first).assumingMemoryBound(to: Int32.self)
        )
    }
}
