import CKernels

/// A first look at many outputs: weights in 4 bits, an eighth of f32.
///
/// The layout is drawn in `contextual.h`.
public struct CoarseWeights: Sendable {
    /// Columns of the weight.
    public let inputs: Int
    /// Rows of the weight.
    public let outputs: Int

    /// For every output of whole panels its scale and the sum of its integers, then the panels.
    private let memory: Memory

    /// Packs weights `[outputs, inputs]`.
    public init(_ weight: Matrix<Float>) {
        (inputs, outputs) = (weight.columns, weight.rows)
        let padded = PackedWeights.padded(weight.rows)
        memory = Memory(count: padded * (2 + (weight.columns + 7) / 8))
        memory.floats.initialize(repeating: 0)
        let kernels = ck_best().pointee
        weight.elements.withUnsafeBufferPointer { source in
            guard let source = source.baseAddress else { return }
            kernels.pack_rows_int4(
                source, inputs, outputs, inputs, address(ofPanel: 0), scales(fromPanel: 0),
                sums(fromPanel: 0))
        }
    }

    /// The bytes that a look at all outputs reads.
    public var byteCount: Int { memory.floats.count * MemoryLayout<Float>.stride }

    private var padded: Int { PackedWeights.padded(outputs) }

    private func address(ofPanel panel: Int) -> UnsafeMutablePointer<UInt8> {
        let depth = (inputs + 7) / 8 * 4 * PackedWeights.panel
        return (UnsafeMutableRawPointer(memory.floats.baseAddress! + 2 * padded) + panel * depth)
            .assumingMemoryBound(to: UInt8.self)
    }

    private func scales(fromPanel panel: Int) -> UnsafeMutablePointer<Float> {
        memory.floats.baseAddress! + panel * PackedWeights.panel
    }

    private func sums(fromPanel panel: Int) -> UnsafeMutablePointer<Int32> {
        UnsafeMutableRawPointer(memory.floats.baseAddress! + padded + panel * PackedWeights.panel)
            .assumingMemoryBound(to: Int32.self)
    }

    /// The weights from a panel on, as the kernel takes them.
    func kernelWeights(fromPanel panel: Int) -> ck_int4_weights {
        ck_int4_weights(
            panels: address(ofPanel: panel), scales: scales(fromPanel: panel),
            sums: sums(fromPanel: panel))
    }
}

/// The weights of a linear layer turned round: what each input adds to all outputs, row by row, so
/// that the rows of inputs that are 0 need not be read.
public struct InputRows: Sendable {
    /// How many rows there are.
    public let inputs: Int
    /// Values of a row.
    public let outputs: Int
    /// How they are stored.
    public let precision: Precision

    private let memory: Memory
    /// What the integers of a row are multiplied with; empty for other precisions.
    let scales: [Float]

    /// Packs weights `[outputs, inputs]`.
    public init(_ weight: Matrix<Float>, precision: Precision) {
        (inputs, outputs) = (weight.columns, weight.rows)
        self.precision = precision
        let stride = Self.stride(weight.rows, precision)
        memory = Memory(count: (stride * weight.columns + 3) / 4)
        var scales: [Float] = []
        let start = UnsafeMutableRawPointer(memory.floats.baseAddress!)
        for input in 0..<weight.columns {
            let row = start + input * stride
            let values = (0..<weight.rows).map { weight.elements[$0 * weight.columns + input] }
            switch precision {
            case .f32:
                row.assumingMemoryBound(to: Float.self).update(from: values, count: values.count)
            case .bf16:
                let row = row.assumingMemoryBound(to: UInt16.self)
                for (place, value) in values.enumerated() { row[place] = value.nearestBFloat16 }
            case .int8:
                let row = row.assumingMemoryBound(to: Int8.self)
                let scale = values.reduce(0) { max($0, abs($1)) } / 127
                let inverse = scale > 0 ? 1 / scale : 0
                for (place, value) in values.enumerated() {
                    row[place] = Int8(max(-127, min(127, (value * inverse).rounded())))
                }
                scales.append(scale)
            }
        }
        self.scales = scales
    }

    /// Bytes from one row to the next: whole cache lines.
    static func stride(_ outputs: Int, _ precision: Precision) -> Int {
        (outputs * precision.bits / 8 + 63) / 64 * 64
    }

    /// The first row, from an output on.
    func address(fromOutput output: Int) -> UnsafeRawPointer {
        UnsafeRawPointer(memory.floats.baseAddress!) + output * precision.bits / 8
    }
}

extension Float {
    /// The nearest bfloat16, ties to even.
    fileprivate var nearestBFloat16: UInt16 {
        let bits = bitPattern
        guard !isNaN else { return UInt16(bits >> 16) | 0x40 }
        return UInt16((bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
    }
}
