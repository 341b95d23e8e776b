import CKernels

@testable import Tensors

extension ck_format {
    /// The 32-bit words of a converted row of some inputs.
    func paddedWords(of inputs: Int) -> Int { rowBytes(inputs) / 4 }
}

/// Activations that are converted for the product of a float format.
struct FormatRows {
    /// The scale of each row, if the format converts activations.
    private(set) var scales: [Float]
    /// The converted rows, and one more word that the conversion must not change.
    private(set) var words: [UInt32]
    /// Whether the format converts activations.
    let isConverted: Bool

    private let format: ck_format
    private let rows: Int
    private let inputs: Int
    private let stride: Int

    /// Converts rows `[rows, inputs]`.
    init(_ a: [Float], rows: Int, inputs: Int, for format: ck_format) {
        (self.format, self.rows, self.inputs) = (format, rows, inputs)
        isConverted = format.convert != nil
        stride = isConverted ? format.rowBytes(inputs) : inputs * 4
        scales = [Float](repeating: 0, count: rows)
        words = [UInt32](repeating: 42, count: rows * stride / 4 + 1)
        guard let convert = format.convert else {
            for index in a.indices { words[index] = a[index].bitPattern }
            return
        }
        var zero: Int32 = 0
        for row in 0..<rows {
            words.withUnsafeMutableBytes {
                convert(
                    Array(a[(row * inputs)..<(row * inputs + inputs)]), inputs, 1,
                    $0.baseAddress! + row * stride, stride, &scales[row], &zero)
            }
        }
    }

    /// Computes the product `c [rows, columns]` with packed weights.
    func multiply(
        _ panels: UnsafeRawPointer, bias: [Float]?, into c: inout [Float], columns: Int,
        _ epilogue: ck_epilogue
    ) {
        words.withUnsafeBytes { words in
            scales.withUnsafeBufferPointer { scales in
                format.product(
                    ck_operand(
                        values: words.baseAddress!, stride: stride, terms: 1,
                        scales: isConverted ? scales.baseAddress : nil, zeros: nil),
                    rows, inputs, ck_weights(panels: panels, scales: nil, sums: nil), bias, &c,
                    columns, columns, epilogue)
            }
        }
    }
}
