import CKernels

/// A matrix in 4 bits with a scale for each group of 32 columns of a row.
///
/// An element is `(code − 8) · scale`, with a code of 0 ... 15 and a 16-bit float as the scale.
/// These are the numbers of ggml's Q4_0. The last group of a row is padded with code 8, whose
/// element is 0.
public struct Int4Matrix: Sendable, Equatable {
    /// The number of rows.
    public let rows: Int
    /// The number of columns.
    public let columns: Int
    /// The blocks of Q4_0, row by row, with a block for each 32 columns.
    ///
    /// A block consists of its scale, as two little-endian bytes, and of 16 bytes. Byte i has the
    /// code of column i in its lower half and the code of column i + 16 in its upper half.
    public let blocks: [UInt8]

    /// The number of columns with the same scale.
    public static let group = DType.q40.blockSize

    /// Ways to round floats.
    public enum Rounding: String, Sendable, CaseIterable {
        /// The rounding of llama.cpp: the element with the greatest magnitude of a group gets code
        /// 0, unchanged but for the rounding of the scale.
        case largest
        /// Of some scales, which cut off the greatest elements of a group or do not, the one with
        /// the least sum of squared errors.
        case leastSquares
    }

    /// Creates a matrix of blocks of Q4_0.
    ///
    /// - Precondition: There are the blocks of all rows, and codes after the last column are 8.
    public init(rows: Int, columns: Int, blocks: [UInt8]) {
        (self.rows, self.columns, self.blocks) = (rows, columns, blocks)
        precondition(blocks.count == rows * rowBytes, "the blocks of all rows")
    }

    /// Creates a matrix of codes and scales.
    ///
    /// - Parameters:
    ///   - rows: The number of rows.
    ///   - columns: The number of columns.
    ///   - codes: The codes, `[rows, columns]`, each 0 ... 15.
    ///   - scales: The bits of the scales as 16-bit floats, `[rows, groups]`.
    public init(rows: Int, columns: Int, codes: [UInt8], scales: [UInt16]) {
        let groups = Self.groups(columns)
        precondition(
            codes.count == rows * columns && scales.count == rows * groups, "a full matrix")
        precondition(codes.allSatisfy { $0 < 16 }, "codes of 4 bits")
        var blocks: [UInt8] = []
        blocks.reserveCapacity(scales.count * DType.q40.bytesPerBlock)
        for row in 0..<rows {
            for group in 0..<groups {
                let scale = scales[row * groups + group]
                blocks += [UInt8(truncatingIfNeeded: scale), UInt8(scale >> 8)]
                let first = group * Self.group
                func code(_ place: Int) -> UInt8 {
                    place < columns ? codes[row * columns + place] : 8
                }
                for place in first..<first + Self.group / 2 {
                    blocks.append(code(place) | code(place + Self.group / 2) << 4)
                }
            }
        }
        self.init(rows: rows, columns: columns, blocks: blocks)
    }

    /// Rounds finite floats whose magnitude is at most that of ``Precision/maximumWeight``.
    public init(rounding matrix: Matrix<Float>, by rounding: Rounding = .largest) {
        let (width, groups) = (matrix.columns, Self.groups(matrix.columns))
        let bytes = groups * DType.q40.bytesPerBlock
        let round = rounding == .largest ? ck_quantize_q4_0 : ck_quantize_q4_0_least_squares
        var padded = [Float](repeating: 0, count: groups * Self.group)
        let blocks = [UInt8](unsafeUninitializedCapacity: matrix.rows * bytes) { target, count in
            count = matrix.rows * bytes
            guard count > 0, let target = target.baseAddress else { return }
            withPointers(writing: &padded, reading: matrix.elements) { padded, source in
                for row in 0..<matrix.rows {
                    padded.update(from: source + row * width, count: width)
                    round(target + row * bytes, padded, groups)
                }
            }
        }
        self.init(rows: matrix.rows, columns: width, blocks: blocks)
    }

    /// The elements as floats.
    public var floats: Matrix<Float> {
        var result = Matrix<Float>(rows: rows, columns: columns)
        let padded = DType.q40.floats(from: blocks.span.bytes)
        let width = Self.groups(columns) * Self.group
        for row in 0..<rows {
            result.elements.replaceSubrange(
                row * columns..<(row + 1) * columns,
                with: padded[row * width..<row * width + columns])
        }
        return result
    }

    /// The number of bytes of the blocks of a row.
    var rowBytes: Int { Self.groups(columns) * DType.q40.bytesPerBlock }

    private static func groups(_ columns: Int) -> Int { (columns + group - 1) / group }
}
