/// Divides a sequence of tokens into consecutive windows that do not overlap.
///
/// The last window may be shorter.
///
/// - Parameters:
///   - tokens: The sequence, without special tokens.
///   - length: The number of tokens of a window.
/// - Returns: The windows with at least 2 tokens, because a single token has no prediction to
///   compare.
public func windows(of tokens: [Int32], length: Int) -> [[Int32]] {
    stride(from: 0, to: tokens.count, by: length)
        .map { Array(tokens[$0..<min($0 + length, tokens.count)]) }
        .filter { $0.count > 1 }
}
