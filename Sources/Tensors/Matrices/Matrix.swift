/// A dense row-major matrix with value semantics.
///
/// The rows of activations are tokens. The rows of weights are outputs. Every linear layer of the
/// project is `y = x · Wᵀ + b` with `x [tokens, inputs]` and `W [outputs, inputs]`.
@frozen
public struct Matrix<Element: BinaryFloatingPoint & Sendable>: Sendable, Equatable {
    /// The number of rows.
    public let rows: Int

    /// The number of columns.
    public let columns: Int

    /// The elements, row after row; their number is always `rows * columns`.
    public var elements: [Element]

    /// Creates a matrix of one repeated value.
    @inlinable
    public init(rows: Int, columns: Int, repeating value: Element = 0) {
        self.init(
            rows: rows, columns: columns,
            elements: [Element](repeating: value, count: rows * columns))
    }

    /// Creates a matrix from its elements, row after row.
    ///
    /// - Precondition: `elements.count == rows * columns`.
    @inlinable
    public init(rows: Int, columns: Int, elements: [Element]) {
        precondition(elements.count == rows * columns, "a matrix needs rows * columns elements")
        self.rows = rows
        self.columns = columns
        self.elements = elements
    }

    /// Stacks matrices of equal width, the rows of the first on top.
    @inlinable
    public init(stacking parts: [Matrix]) {
        precondition(
            parts.allSatisfy { $0.columns == parts[0].columns },
            "stacked matrices must have the same number of columns")
        self.init(
            rows: parts.reduce(0) { $0 + $1.rows }, columns: parts.first?.columns ?? 0,
            elements: parts.flatMap(\.elements))
    }

    /// The element at a row and column.
    @inlinable
    public subscript(row: Int, column: Int) -> Element {
        get { elements[row * columns + column] }
        set { elements[row * columns + column] = newValue }
    }

    /// The elements of one row.
    @inlinable
    public func row(_ index: Int) -> ArraySlice<Element> {
        elements[index * columns..<(index + 1) * columns]
    }

    /// The rows at the given indices, in that order.
    @inlinable
    public func selecting(rows indices: [Int]) -> Matrix {
        var selected: [Element] = []
        selected.reserveCapacity(indices.count * columns)
        for index in indices { selected += row(index) }
        return Matrix(rows: indices.count, columns: columns, elements: selected)
    }

    /// The columns at the given indices, in that order.
    @inlinable
    public func selecting(columns indices: [Int]) -> Matrix {
        var selected: [Element] = []
        selected.reserveCapacity(rows * indices.count)
        for row in 0..<rows {
            for column in indices { selected.append(elements[row * columns + column]) }
        }
        return Matrix(rows: rows, columns: indices.count, elements: selected)
    }

    /// The transpose.
    @inlinable
    public var transposed: Matrix {
        var result = Matrix(rows: columns, columns: rows)
        for row in 0..<rows {
            for column in 0..<columns {
                result.elements[column * rows + row] = elements[row * columns + column]
            }
        }
        return result
    }
}
