import CKernels

/// A matrix whose elements are values of a grid, stored as their codes.
public struct CodedMatrix: Sendable, Equatable {
    /// The values that elements can have.
    public let grid: WeightGrid
    /// The number of rows.
    public let rows: Int
    /// The number of columns.
    public let columns: Int
    /// The codes, row after row.
    public var codes: [UInt8]
    /// The scales of the groups of each row, row after row, as the grid stores them.
    public var scales: [Float]

    /// Creates a matrix of zeros.
    public init(rows: Int, columns: Int, grid: WeightGrid) {
        self.init(
            rows: rows, columns: columns, grid: grid,
            codes: [UInt8](repeating: grid.zero, count: rows * columns),
            scales: [Float](repeating: 0, count: rows * grid.groups(ofColumns: columns)))
    }

    private init(rows: Int, columns: Int, grid: WeightGrid, codes: [UInt8], scales: [Float]) {
        self.grid = grid
        self.rows = rows
        self.columns = columns
        self.codes = codes
        self.scales = scales
    }

    /// Stacks matrices of equal width and grid, the rows of the first on top.
    public init(stacking parts: [CodedMatrix]) {
        precondition(!parts.isEmpty, "nothing to stack")
        precondition(
            parts.allSatisfy { $0.columns == parts[0].columns && $0.grid == parts[0].grid },
            "stacked widths or grids differ")
        self.init(
            rows: parts.reduce(0) { $0 + $1.rows }, columns: parts[0].columns,
            grid: parts[0].grid, codes: parts.flatMap(\.codes), scales: parts.flatMap(\.scales))
    }

    /// Rounds each element of a matrix to the nearest value of its group's scale.
    ///
    /// The scale of a group has the least squared error.
    public init(nearest matrix: Matrix<Float>, grid: WeightGrid) {
        self.init(rows: matrix.rows, columns: matrix.columns, grid: grid)
        for group in 0..<groups {
            let columns = columns(ofGroup: group)
            let numbers = Matrix(
                rows: rows, columns: columns.count,
                elements: (0..<rows).flatMap { row in columns.map { Double(matrix[row, $0]) } })
            let scales = grid.scales(
                of: numbers, weights: [Double](repeating: 1, count: columns.count))
            for row in 0..<rows {
                self.scales[row * groups + group] = scales[row]
                for (place, column) in columns.enumerated() {
                    codes[row * self.columns + column] = grid.code(
                        of: numbers[row, place], scale: scales[row])
                }
            }
        }
    }

    /// Creates a matrix in 4 bits from blocks of the stored type `q40`.
    ///
    /// - Precondition: The columns fill blocks.
    public init(_ matrix: Int4Matrix) {
        let (type, size) = (DType.q40, Int4Matrix.group)
        precondition(matrix.columns % size == 0, "columns must fill blocks")
        self.init(rows: matrix.rows, columns: matrix.columns, grid: .q40)
        var halves: [UInt8] = []
        halves.reserveCapacity(2 * scales.count)
        for block in scales.indices {
            let start = block * type.bytesPerBlock
            halves += matrix.blocks[start..<start + 2]
            for place in 0..<size / 2 {
                let pair = matrix.blocks[start + 2 + place]
                codes[block * size + place] = pair & 15
                codes[block * size + size / 2 + place] = pair >> 4
            }
        }
        scales = DType.f16.floats(from: halves.span.bytes)
    }

    /// The number of groups of a row.
    public var groups: Int { grid.groups(ofColumns: columns) }

    /// The columns of a group.
    public func columns(ofGroup group: Int) -> Range<Int> {
        guard let size = grid.group else { return 0..<columns }
        return group * size..<min((group + 1) * size, columns)
    }

    /// The rows at the given indices, in that order.
    public func selecting(rows indices: [Int]) -> CodedMatrix {
        CodedMatrix(
            rows: indices.count, columns: columns, grid: grid,
            codes: indices.flatMap { codes[$0 * columns..<($0 + 1) * columns] },
            scales: indices.flatMap { scales[$0 * groups..<($0 + 1) * groups] })
    }

    /// The elements.
    public var values: Matrix<Float> {
        var values = Matrix<Float>(rows: rows, columns: columns)
        let (size, groups) = (grid.group ?? max(columns, 1), groups)
        for row in 0..<rows {
            for column in 0..<columns {
                let place = row * columns + column
                values.elements[place] = grid.value(
                    of: codes[place], scale: scales[row * groups + column / size])
            }
        }
        return values
    }

    /// The blocks of the stored type `q40` or `q80` that hold these codes and scales.
    ///
    /// - Precondition: The grid is that of the type, and the columns fill blocks.
    public func blocks(of type: DType) -> [UInt8] {
        precondition(WeightGrid(storedAs: type) == grid, "blocks of another grid")
        precondition(columns % type.blockSize == 0, "columns do not fill blocks")
        let (size, halves) = (type.blockSize, DType.f16.bytes(from: scales.span))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(scales.count * type.bytesPerBlock)
        for block in scales.indices {
            bytes += halves[2 * block..<2 * block + 2]
            let first = block * size
            if type == .q40 {
                for place in first..<first + size / 2 {
                    bytes.append(codes[place] | codes[place + size / 2] << 4)
                }
            } else {
                for place in first..<first + size { bytes.append(codes[place] &- grid.zero) }
            }
        }
        return bytes
    }
}
