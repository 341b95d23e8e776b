/// Sequences of tokens that a model processes together.
///
/// The sequences are stored one after another without padding. Attention uses the range of each
/// sequence. All other operations work row by row.
public struct TokenBatch: Sendable, Equatable {
    /// The token ids of all sequences.
    public private(set) var ids: [Int32] = []
    /// The segment of each token, for models with segments; empty if all are 0.
    public private(set) var typeIDs: [Int32] = []
    /// The range of rows of each sequence.
    public private(set) var sequences: [Range<Int>] = []

    /// Creates a batch of sequences.
    public init(_ sequences: [[Int32]]) {
        for sequence in sequences {
            self.sequences.append(ids.count..<ids.count + sequence.count)
            ids += sequence
        }
    }

    /// Creates a batch of sequences whose tokens have segments.
    ///
    /// - Precondition: The numbers of segments and tokens are equal.
    public init(_ sequences: [(ids: [Int32], typeIDs: [Int32])]) {
        self.init(sequences.map(\.ids))
        typeIDs = sequences.flatMap(\.typeIDs)
        precondition(typeIDs.count == ids.count, "a segment for every token")
    }

    /// The rows of the segment embedding for tokens.
    ///
    /// They are all 0 if no segments are given or the table has no row for one of them.
    ///
    /// - Parameters:
    ///   - typeIDs: The segment of each token; may be empty.
    ///   - count: The number of tokens.
    ///   - rows: The number of rows of the segment embedding.
    /// - Returns: The row of each token.
    public static func segmentRows(_ typeIDs: [Int32], of count: Int, in rows: Int) -> [Int32] {
        let isGiven = !typeIDs.isEmpty && typeIDs.allSatisfy { $0 < rows }
        return isGiven ? typeIDs : [Int32](repeating: 0, count: count)
    }

    /// The position of each token in its sequence.
    public var positions: [Int] {
        sequences.flatMap { Array(0..<$0.count) }
    }
}
