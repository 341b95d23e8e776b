import CHost
import Foundation

/// A run of floats, or of other values packed in their places, at a fixed, page-friendly address, for weights that kernels stream.
///
/// `@unchecked`: it is written only while its owner fills it, and only read afterwards.
final class Memory: @unchecked Sendable {
    let floats: UnsafeMutableBufferPointer<Float>

    /// Allocates floats without values; regions of megabytes ask for huge pages.
    init(count: Int) {
        let bytes = max(count, 1) * MemoryLayout<Float>.stride
        let hugePage = 2 << 20
        let alignment = bytes >= 2 * hugePage ? hugePage : 64
        let address = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: alignment)
        if alignment == hugePage { host_advise_huge_pages(address, bytes) }
        floats = UnsafeMutableBufferPointer(
            start: address.bindMemory(to: Float.self, capacity: count), count: count)
    }

    deinit {
        floats.baseAddress?.deallocate()
    }
}

/// Hands out pieces of large regions, so that the weights of a model lie together in the order in
/// which they were packed.
public final class Arena {
    private let regionFloats: Int
    private var region: Memory?
    private var used = 0

    /// Creates an empty arena.
    ///
    /// - Parameter regionFloats: The size of the regions that small pieces share.
    public init(regionFloats: Int = 16 << 20) {
        self.regionFloats = regionFloats
    }

    /// A zeroed piece aligned to a cache line: the region that owns it and its place there.
    ///
    /// What no piece needs of a region is never written, and so takes no memory.
    func allocate(_ count: Int) -> (memory: Memory, offset: Int) {
        let rounded = (count + 15) / 16 * 16
        let (memory, offset) = place(rounded)
        (memory.floats.baseAddress! + offset).initialize(repeating: 0, count: rounded)
        return (memory, offset)
    }

    private func place(_ count: Int) -> (memory: Memory, offset: Int) {
        if let region, used + count <= region.floats.count {
            defer { used += count }
            return (region, used)
        }
        let fresh = Memory(count: max(count, regionFloats))
        if count < regionFloats {
            region = fresh
            used = count
        }
        return (fresh, 0)
    }
}
