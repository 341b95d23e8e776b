extension Activations {
    /// Replaces a row by a vector.
    public mutating func set(_ values: [Float], row: Int) {
        precondition(values.count == columns, "every column needs a value")
        precondition(row < rows, "the row must exist")
        for column in 0..<columns { storage[row * columns + column] = values[column] }
    }

    /// Adds a vector to a row.
    public mutating func add(_ values: [Float], toRow row: Int) {
        precondition(values.count == columns, "every column needs a value")
        for column in 0..<columns { storage[row * columns + column] += values[column] }
    }

    /// Sets values of a row to 0 if their magnitude is not above the threshold of their column.
    ///
    /// - Returns: The number of values that remain.
    @discardableResult
    public mutating func clear(row: Int, notAbove thresholds: [Float]) -> Int {
        precondition(thresholds.count == columns, "every column needs a threshold")
        var count = 0
        for column in 0..<columns {
            let place = row * columns + column
            if abs(storage[place]) <= thresholds[column] { storage[place] = 0 } else { count += 1 }
        }
        return count
    }
}
