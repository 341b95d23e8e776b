internal import CHost

/// The SHA-256 digest of bytes that arrive in pieces (FIPS 180-4).
public struct SHA256: Sendable {
    private static let blockSize = 64

    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
        0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// The bytes after the last whole block.
    private var rest: [UInt8] = []
    private var count: UInt64 = 0

    /// Creates the digest of no bytes.
    public init() {}

    /// Adds bytes to the end of the message.
    public mutating func update(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// Adds bytes to the end of the message.
    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    private mutating func update(_ bytes: UnsafeRawBufferPointer) {
        count += UInt64(bytes.count)
        var start = 0
        if !rest.isEmpty {
            start = min(Self.blockSize - rest.count, bytes.count)
            rest += bytes[..<start]
            guard rest.count == Self.blockSize else { return }
            host_sha256_blocks(&state, rest, 1)
            rest.removeAll(keepingCapacity: true)
        }
        let blocks = (bytes.count - start) / Self.blockSize
        if blocks > 0, let base = bytes.baseAddress {
            host_sha256_blocks(&state, base + start, blocks)
        }
        rest += bytes[(start + blocks * Self.blockSize)...]
    }

    /// The digest of all bytes so far, as 64 lower-case hexadecimal digits.
    public var hexDigest: String {
        var padded = self
        let bits = count &* 8
        let zeros = (119 - rest.count) % Self.blockSize
        padded.update([0x80] + [UInt8](repeating: 0, count: zeros))
        padded.update((0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) })
        let digits = Array("0123456789abcdef")
        return String(
            padded.state.flatMap { word in
                stride(from: 28, through: 0, by: -4).map { digits[Int(word >> $0 & 15)] }
            })
    }

    /// The digest of a complete message.
    public static func hexDigest(of bytes: RawSpan) -> String {
        var digest = SHA256()
        digest.update(bytes)
        return digest.hexDigest
    }

    /// The digest of a complete message.
    public static func hexDigest(of bytes: [UInt8]) -> String {
        var digest = SHA256()
        digest.update(bytes)
        return digest.hexDigest
    }
}
