/// Working memory that is reused by one operation after another.
///
/// `@unchecked`: only the thread that owns the engine's pool requests the memory, for one operation
/// at a time. During the operation, other threads write to disjoint parts.
final class Scratch: @unchecked Sendable {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    /// Returns at least `count` bytes, aligned to a cache line, with unspecified values.
    func bytes(_ count: Int) -> UnsafeMutableRawPointer {
        if let address = memory.baseAddress, memory.count >= count { return address }
        memory.deallocate()
        memory = .allocate(byteCount: max(count, 4096), alignment: 64)
        return memory.baseAddress!
    }

    deinit {
        memory.deallocate()
    }
}

/// Working memory for packed weights, which is reused by one operation after another.
///
/// `@unchecked`: only the thread that owns the engine's pool requests the memory, for one operation
/// at a time. During the operation, other threads write to disjoint parts.
final class ScratchPiece: @unchecked Sendable {
    private var known: Piece?

    /// Returns at least `count` 32-bit words with unspecified values.
    func piece(_ count: Int) -> Piece {
        if let known, known.count >= count { return known }
        let piece = Arena(regionFloats: 0).allocate(count)
        known = piece
        return piece
    }
}
