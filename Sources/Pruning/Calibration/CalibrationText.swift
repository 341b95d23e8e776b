internal import Tensors
public import Tokenizers
public import Transformers

/// Token sequences cut from a text: some for calibration, and some from its end for evaluation.
public struct CalibrationText: Sendable {
    /// The sequences for calibration.
    public let calibration: [[Int32]]
    /// The sequences held out of calibration.
    public let heldOut: [[Int32]]

    /// The fraction of a text that is held out.
    static let heldOutFraction = 0.1

    /// The minimum numbers of tokens for calibration (unless fewer were requested) and for
    /// evaluation.
    public static let (minimumCalibration, minimumHeldOut) = (1024, 128)

    /// The maximum number of tokens to hold out, so that evaluation takes less time than pruning.
    static let maximumHeldOut = 8192

    /// Cuts text for a decoder: windows of one stream without special tokens.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - tokenizer: The model's tokenizer.
    ///   - tokens: The number of tokens for calibration. Up to a quarter of it is held out.
    ///   - length: The number of tokens of a window.
    ///   - seed: Decides which windows are taken.
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

    /// Uses sequences as they are.
    public init(calibration: [[Int32]], heldOut: [[Int32]]) {
        self.calibration = calibration
        self.heldOut = heldOut
    }

    private init(pieces: [[Int32]], tokens: Int, seed: UInt64) {
        var heldOutCount = max(Int(Double(pieces.count) * Self.heldOutFraction), 1)
        while heldOutCount < pieces.count,
            pieces.suffix(heldOutCount).reduce(0, { $0 + $1.count }) < Self.minimumHeldOut
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
            min(max(tokens / 4, Self.minimumHeldOut), Self.maximumHeldOut))
    }

    /// Returns a message if the text is too short for calibration; nil if it has enough tokens.
    public func shortage(of tokens: Int) -> String? {
        func count(_ sequences: [[Int32]]) -> Int { sequences.reduce(0) { $0 + $1.count } }
        let (own, held) = (count(calibration), count(heldOut))
        let minimum = min(tokens, Self.minimumCalibration)
        guard own < minimum || held < Self.minimumHeldOut else { return nil }
        return "it is too short for calibration: it has \(own) tokens, and \(held) for evaluation; "
            + "\(minimum) and \(Self.minimumHeldOut) are the minimum"
    }
}

/// Cuts text for an encoder: paragraphs in pieces, each between the model's special tokens.
///
/// - Parameters:
///   - text: The text, with one paragraph on each line.
///   - tokenizer: The model's tokenizer.
///   - length: The maximum number of tokens of a piece, with its special tokens.
/// - Returns: The pieces; pieces with fewer than 8 tokens are left out.
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

/// Joins sequences into batches with a minimum number of tokens.
///
/// - Parameters:
///   - sequences: The sequences.
///   - tokens: The minimum number of tokens of every batch except the last.
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
