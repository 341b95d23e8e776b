internal import Tensors
public import Tokenizers
public import Transformers

/// Token sequences cut from text: some to calibrate on, others, from its end, held out.
public struct CalibrationText: Sendable {
    /// Sequences to calibrate on.
    public let calibration: [[Int32]]
    /// Sequences that calibration does not see.
    public let heldOut: [[Int32]]

    /// The fraction of a text that is held out.
    static let heldOutFraction = 0.1

    /// The fewest tokens to calibrate on, where more were asked for, and to evaluate on.
    public static let (leastCalibration, leastHeldOut) = (1024, 128)

    /// The most tokens to hold out, so that evaluating takes less time than pruning.
    static let mostHeldOut = 8192

    /// Cuts text for a decoder: one stream without special tokens, in windows.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - tokenizer: The model's.
    ///   - tokens: How many to calibrate on, and up to a quarter as many to hold out, if there are.
    ///   - length: Tokens of a window.
    ///   - seed: Chooses the windows.
    public init(
        stream text: String, tokenizer: some Tokenizer, tokens: Int, length: Int, seed: UInt64
    ) {
        let ids = tokenizer.encode(text, addingSpecialTokens: false)
        var pieces = windows(of: ids, length: length)
        if pieces.count > 2, let last = pieces.last, last.count < length { pieces.removeLast() }
        self.init(pieces: pieces, tokens: tokens, seed: seed)
    }

    /// Cuts text for an encoder: pieces of paragraphs, each between the model's special tokens.
    public init(
        paragraphs text: String, tokenizer: some Tokenizer, tokens: Int, length: Int, seed: UInt64
    ) {
        let pieces = framedPieces(of: text, tokenizer: tokenizer, length: length)
        self.init(pieces: pieces, tokens: tokens, seed: seed)
    }

    /// Wraps sequences that need no cutting.
    public init(calibration: [[Int32]], heldOut: [[Int32]]) {
        self.calibration = calibration
        self.heldOut = heldOut
    }

    private init(pieces: [[Int32]], tokens: Int, seed: UInt64) {
        var heldOutCount = max(Int(Double(pieces.count) * Self.heldOutFraction), 1)
        while heldOutCount < pieces.count,
            pieces.suffix(heldOutCount).reduce(0, { $0 + $1.count }) < Self.leastHeldOut
        {
            heldOutCount += 1
        }
        var random = SplitMix64(seed: seed)
        func take(_ pieces: ArraySlice<[Int32]>, _ tokens: Int) -> [[Int32]] {
            var (taken, count) = ([Int](), 0)
            for index in pieces.indices.shuffled(using: &random) {
                if count >= tokens { break }
                taken.append(index)
                count += pieces[index].count
            }
            return taken.sorted().map { pieces[$0] }
        }
        calibration = take(pieces.dropLast(heldOutCount), tokens)
        heldOut = take(
            pieces.suffix(heldOutCount),
            min(max(tokens / 4, Self.leastHeldOut), Self.mostHeldOut))
    }

    /// What is too little in the text to calibrate on so many tokens; nil where it suffices.
    public func shortage(of tokens: Int) -> String? {
        func count(_ sequences: [[Int32]]) -> Int { sequences.reduce(0) { $0 + $1.count } }
        let (own, held) = (count(calibration), count(heldOut))
        let least = min(tokens, Self.leastCalibration)
        guard own < least || held < Self.leastHeldOut else { return nil }
        return "it is too short to calibrate on: \(own) tokens, and \(held) held out to evaluate, "
            + "where \(least) and \(Self.leastHeldOut) are the minimum"
    }
}

/// Cuts text for an encoder: paragraphs in pieces, each between the model's special tokens.
///
/// - Parameters:
///   - text: The text, a paragraph a line.
///   - tokenizer: The model's.
///   - length: Tokens of a piece at most, special tokens included.
/// - Returns: The pieces; scraps of fewer than 8 tokens are left out.
public func framedPieces(
    of text: String, tokenizer: some Tokenizer, length: Int
) -> [[Int32]] {
    let frame = tokenizer.encode("", addingSpecialTokens: true)
    let room = max(1, length - frame.count)
    var pieces: [[Int32]] = []
    for paragraph in text.split(whereSeparator: \.isNewline) {
        let ids = tokenizer.encode(String(paragraph), addingSpecialTokens: false)
        for first in stride(from: 0, to: ids.count, by: room) {
            let piece = ids[first..<min(first + room, ids.count)]
            if piece.count >= min(8, room) {
                pieces.append(Array(frame.prefix(1)) + piece + frame.dropFirst())
            }
        }
    }
    return pieces
}

/// Sequences gathered into batches of at least a number of tokens.
///
/// - Parameters:
///   - sequences: The sequences.
///   - tokens: The least tokens of a batch but the last.
/// - Returns: The batches, in order.
public func batches(of sequences: [[Int32]], tokens: Int) -> [TokenBatch] {
    var batches: [TokenBatch] = []
    var (waiting, count) = ([[Int32]](), 0)
    for sequence in sequences {
        waiting.append(sequence)
        count += sequence.count
        if count >= tokens {
            batches.append(TokenBatch(waiting))
            (waiting, count) = ([], 0)
        }
    }
    return waiting.isEmpty ? batches : batches + [TokenBatch(waiting)]
}
