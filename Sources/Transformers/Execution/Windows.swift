/// Cuts a token stream into consecutive windows that do not overlap, the last one perhaps shorter.
///
/// - Parameters:
///   - tokens: The stream, without special tokens.
///   - length: Tokens of a window.
/// - Returns: The windows of at least 2 tokens: a single one predicts nothing.
public func windows(of tokens: [Int32], length: Int) -> [[Int32]] {
    stride(from: 0, to: tokens.count, by: length)
        .map { Array(tokens[$0..<min($0 + length, tokens.count)]) }
        .filter { $0.count > 1 }
}
