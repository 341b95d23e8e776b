internal import CKernels

extension AttentionHeads {
    /// Calls a closure with the changes of a head's scores.
    ///
    /// It is called with nil if scores are scaled products with all keys up to a query's own.
    ///
    /// - Parameters:
    ///   - head: The query head.
    ///   - distance: The distance from the first query to the first key.
    ///   - biases: The terms of scores, or nil.
    ///   - terms: The address of the terms.
    ///   - body: The closure.
    /// - Returns: The result of the closure.
    func withRule<Result>(
        of head: Int, distance: Int, _ biases: ScoreBiases?, at terms: UnsafePointer<Float>,
        _ body: (UnsafePointer<ck_scores>?) -> Result
    ) -> Result {
        guard window != nil || cap != nil || biases != nil else { return body(nil) }
        let row = biasRows?[head] ?? head
        let bias = biases.map { terms + $0.place(row: row, distance: distance) }
        let rule = ck_scores(window: window ?? 0, cap: cap ?? 0, bias: bias)
        return withUnsafePointer(to: rule) { body($0) }
    }

    /// Divides query heads into ranges of heads that have the same keys and values.
    ///
    /// - Parameters:
    ///   - apart: Heads that each get a range of their own; nil to divide all heads.
    ///   - tasks: The minimum number of ranges if there are enough heads. If all threads have more
    ///     than one range, their work is nearly equal.
    /// - Returns: The ranges, in the order of the heads.
    func parts(_ apart: [Int]?, tasks: Int) -> [Range<Int>] {
        if let apart { return apart.map { $0..<$0 + 1 } }
        let group = query / keyValue
        let pieces = min(group, max(1, (tasks + keyValue - 1) / keyValue))
        return (0..<keyValue).flatMap { index in
            (0..<pieces).map { piece in
                let first = index * group
                return first + group * piece / pieces..<first + group * (piece + 1) / pieces
            }
        }
    }

    /// Returns the first key that the query at a position attends to.
    func firstKey(of position: Int) -> Int { window.map { max(0, position + 1 - $0) } ?? 0 }
}
