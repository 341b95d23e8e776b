import CHost
import Foundation

/// Memory for packed weights, at a fixed address that is aligned to a cache line.
///
/// Large memory is aligned to huge pages. The memory stores floats or other values.
///
/// `@unchecked`: only its owner writes to it, and never while another thread reads it.
final class Memory: @unchecked Sendable {
    let floats: UnsafeMutableBufferPointer<Float>

    /// Allocates floats without initial values.
    ///
    /// Huge pages are requested for 4 MiB or more.
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

/// Allocates pieces of large regions, so that the weights of a model are stored together, in the
/// order in which they were packed.
public final class Arena {
    private let regionFloats: Int
    private var region: Memory?
    private var used = 0

    /// Creates an empty arena.
    ///
    /// - Parameter regionFloats: The size of a region, in floats. Larger pieces get a region of
    ///   their own.
    public init(regionFloats: Int = 16 << 20) {
        self.regionFloats = regionFloats
    }

    /// Allocates a zeroed piece, aligned to a cache line.
    ///
    /// Returns the region that owns the piece, and the offset of the piece in it.
    ///
    /// The unused part of a region is never written, so it uses no physical memory.
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
