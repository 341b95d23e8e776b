/// Sequences of tokens that go through a model together.
///
/// The sequences lie one after another without padding: attention knows where each begins, and
/// everything else works row by row.
public struct TokenBatch: Sendable, Equatable {
    /// The token ids of all sequences.
    public private(set) var ids: [Int32] = []
    /// The segment of each token, for models that tell segments apart; empty where all are 0.
    public private(set) var typeIDs: [Int32] = []
    /// The rows of each sequence.
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
    /// - Precondition: As many segments as tokens.
    public init(_ sequences: [(ids: [Int32], typeIDs: [Int32])]) {
        self.init(sequences.map(\.ids))
        typeIDs = sequences.flatMap(\.typeIDs)
        precondition(typeIDs.count == ids.count, "a segment for every token")
    }

    /// The rows that tokens look up in a table of segments: all row 0 where the table has no others,
    /// or segments are not told.
    ///
    /// - Parameters:
    ///   - typeIDs: The segment of each token; may be empty.
    ///   - count: How many tokens there are.
    ///   - rows: How many rows the table has.
    /// - Returns: A row for each token.
    public static func segmentRows(_ typeIDs: [Int32], of count: Int, in rows: Int) -> [Int32] {
        let isTold = !typeIDs.isEmpty && typeIDs.allSatisfy { $0 < rows }
        return isTold ? typeIDs : [Int32](repeating: 0, count: count)
    }

    /// The position of each token in its sequence.
    public var positions: [Int] {
        sequences.flatMap { Array(0..<$0.count) }
    }
}
