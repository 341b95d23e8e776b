/// Working memory that one operation after another takes, and that is kept between them.
///
/// `@unchecked`: only the thread that owns the engine's pool takes it, for one operation at a time;
/// other threads write to disjoint parts while that operation runs them.
final class Scratch: @unchecked Sendable {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    /// At least so many bytes, aligned to a cache line, with unspecified values.
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
