/// Terms that are added to attention scores, which depend on the distance from the query to the key.
///
/// The distance is the position of the key minus that of the query.
public struct ScoreBiases: Sendable {
    /// The term of each head at each distance, `[heads, distances.count]`.
    let terms: Matrix<Float>
    /// The distances of the columns.
    public let distances: ClosedRange<Int>

    /// Creates the terms of some heads.
    ///
    /// - Parameters:
    ///   - heads: The number of heads.
    ///   - distances: The distances between tokens of a sequence, which include 0.
    ///   - term: Returns the term of a head at a distance.
    public init(
        heads: Int, distances: ClosedRange<Int>, term: (_ head: Int, _ distance: Int) -> Float
    ) {
        self.distances = distances
        terms = Matrix(
            rows: heads, columns: distances.count,
            elements: (0..<heads).flatMap { head in distances.map { term(head, $0) } })
    }

    /// The index in ``terms`` of a head's term at a distance.
    func place(row: Int, distance: Int) -> Int {
        row * terms.columns + distance - distances.lowerBound
    }

    /// Whether the distances between the tokens of a sequence have terms.
    func reach(_ tokens: Int, causal: Bool) -> Bool {
        -distances.lowerBound >= tokens - 1 && (causal || distances.upperBound >= tokens - 1)
    }
}
