import CHost
import Foundation

/// Memory for packed weights, at a fixed address that is aligned to a cache line.
///
/// Large memory is aligned to huge pages. The memory stores floats or other values.
///
/// `@unchecked`: only the owner writes to the memory, and never while another thread reads it.
final class Memory: @unchecked Sendable {
    let floats: UnsafeMutableBufferPointer<Float>

    /// Allocates `count` floats without initial values.
    ///
    /// Memory of 4 MiB or more is requested in huge pages.
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

    /// Allocates a zeroed piece of 32-bit words, aligned to a cache line.
    ///
    /// The unused part of a region is never written, so it uses no physical memory.
    func allocate(_ count: Int) -> Piece {
        let rounded = (count + 15) / 16 * 16
        let (region, offset) = place(rounded)
        let start = region.floats.baseAddress! + offset
        start.initialize(repeating: 0, count: rounded)
        return Piece(of: region, start: UnsafeMutableRawPointer(start), count: count)
    }

    private func place(_ count: Int) -> (region: Memory, offset: Int) {
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

/// A part of a region, for the weights of one layer.
///
/// `@unchecked`: only a value with the sole reference to a piece writes to it, so no other thread
/// can read the piece at that time.
final class Piece: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    /// The number of 32-bit words.
    let count: Int
    /// The region that owns the memory.
    private let region: Memory

    fileprivate init(of region: Memory, start: UnsafeMutableRawPointer, count: Int) {
        (self.region, self.start, self.count) = (region, start, count)
    }
}
