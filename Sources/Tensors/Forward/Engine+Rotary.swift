import CKernels
import Foundation

/// Cosines and sines of rotary position embeddings.
///
/// Position `p` rotates the pair `(x[i], x[i + d/2])` of the first `d` channels of a head by the
/// angle `p · frequencies[i]`.
///
/// Source: Su et al., "RoFormer", arXiv 2104.09864. The order of the channels is the half-split
/// order of Hugging Face.
public struct RotaryTable: Sendable {
    /// The number of positions in the table.
    public let positions: Int
    /// Half of the number of rotated channels.
    let half: Int
    let cosines: [Float]
    let sines: [Float]

    /// Computes the table for positions `0..<positions`.
    ///
    /// The number of rotated channels of a head is twice the number of frequencies.
    public init(frequencies: [Double], positions: Int) {
        self.positions = positions
        half = frequencies.count
        let angles = (0..<positions).flatMap { position in
            frequencies.map { Double(position) * $0 }
        }
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
    }

    private init(_ table: RotaryTable, sines: [Float]) {
        (positions, half, cosines) = (table.positions, table.half, table.cosines)
        self.sines = sines
    }

    /// The table of the rotations in the opposite direction.
    public var reversed: RotaryTable { RotaryTable(self, sines: sines.map { -$0 }) }
}

extension Engine {
    /// Rotates the first `heads` heads of every row by the angles of the row's position.
    ///
    /// If the table rotates fewer channels than a head has, the last channels do not change.
    public func rotate(
        _ x: inout Activations, heads: Int, dimension: Int, positions: ArraySlice<Int>,
        table: RotaryTable
    ) {
        precondition(positions.count == x.rows && table.half * 2 <= dimension)
        let (rows, columns, half) = (x.rows, x.columns, table.half)
        let first = positions.startIndex
        withPointers(
            writing: &x.storage, reading: table.cosines, table.sines
        ) { x, cosines, sines in
            splitRows(rows) { rows in
                for row in rows {
                    let position = positions[first + row]
                    precondition(position < table.positions, "the table has too few positions")
                    let place = position * half
                    for head in 0..<heads {
                        kernels.rotate_f32(
                            x + row * columns + head * dimension, 2 * half, cosines + place,
                            sines + place)
                    }
                }
            }
        }
    }
}
