/// Sequences of tokens that a model processes together.
///
/// The sequences are stored one after another without padding. Attention uses the range of each
/// sequence. All other operations work row by row.
public struct TokenBatch: Sendable, Equatable {
    /// The token ids of all sequences.
    public private(set) var ids: [Int32] = []
    /// The token type id of each token, for models with token types; empty if all are 0.
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

    /// Creates a batch of sequences with token type ids.
    ///
    /// - Precondition: Each token has one token type id.
    public init(_ sequences: [(ids: [Int32], typeIDs: [Int32])]) {
        self.init(sequences.map(\.ids))
        typeIDs = sequences.flatMap(\.typeIDs)
        precondition(typeIDs.count == ids.count, "each token needs a token type id")
    }

    /// Returns the row of the token type embedding for each token.
    ///
    /// All rows are 0 if `typeIDs` is empty or the embedding has no row for one of the ids.
    ///
    /// - Parameters:
    ///   - typeIDs: The token type id of each token; may be empty.
    ///   - count: The number of tokens.
    ///   - rows: The number of rows of the token type embedding.
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
