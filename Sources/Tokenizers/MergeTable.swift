/// The merges of a byte-pair vocabulary, indexed by the pair that they join.
struct MergeTable: Sendable {
    /// Two neighbouring tokens that become one.
    struct Merge: Sendable {
        let left: Int32
        let right: Int32
        let joined: Int32
    }

    /// All merges; earlier merges have priority.
    let merges: [Merge]
    private var ranks: [UInt64: Int32] = [:]

    /// Creates the table of at most 2³¹ merges.
    init(_ merges: [Merge]) {
        self.merges = merges
        ranks.reserveCapacity(merges.count)
        for (rank, merge) in merges.enumerated() {
            ranks[Self.key(merge.left, merge.right)] = Int32(truncatingIfNeeded: rank)
        }
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Merges neighbouring tokens until no merge is possible.
    ///
    /// The pair with the lowest rank is merged first, and the leftmost of several such pairs.
    ///
    /// - Complexity: O(n log n) in the number of tokens.
    func merge(_ word: [Int32]) -> [Int32] {
        if word.count < 2 { return word }
        var symbols = word
        var next = Array(1...word.count)
        var previous = Array(-1..<word.count - 1)
        var queue = MinimumHeap()

        func rank(at position: Int) -> Int32? {
            guard next[position] < word.count else { return nil }
            return ranks[Self.key(symbols[position], symbols[next[position]])]
        }
        func enqueue(_ position: Int) {
            guard let rank = rank(at: position) else { return }
            queue.insert(UInt64(rank) << 32 | UInt64(position))
        }
        for position in 0..<word.count - 1 { enqueue(position) }

        while let top = queue.removeFirst() {
            let position = Int(top & 0xFFFF_FFFF)
            let best = Int32(truncatingIfNeeded: top >> 32)
            guard symbols[position] >= 0, rank(at: position) == best else { continue }
            let removed = next[position]
            symbols[position] = merges[Int(best)].joined
            symbols[removed] = -1
            next[position] = next[removed]
            if next[position] < word.count { previous[next[position]] = position }
            if previous[position] >= 0 { enqueue(previous[position]) }
            enqueue(position)
        }
        return symbols.filter { $0 >= 0 }
    }
}

/// A binary heap with the minimum first.
struct MinimumHeap {
    private var values: [UInt64] = []

    /// Adds a value.
    ///
    /// - Complexity: O(log n)
    mutating func insert(_ value: UInt64) {
        values.append(value)
        var child = values.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if values[parent] <= values[child] { break }
            values.swapAt(parent, child)
            child = parent
        }
    }

    /// Removes and returns the minimum.
    ///
    /// - Complexity: O(log n)
    mutating func removeFirst() -> UInt64? {
        guard let last = values.popLast() else { return nil }
        guard let first = values.first else { return last }
        values[0] = last
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < values.count && values[child] < values[smallest] {
                smallest = child
            }
            if smallest == parent { return first }
            values.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
