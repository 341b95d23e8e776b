internal import Tensors
public import Transformers

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// A fingerprint of a model's sizes, which identifies the model of a profile.
public struct ShapeDigest: Codable, Hashable, Sendable, CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    public let description: String

    /// The SHA-256 digest of a shape's canonical JSON: sorted keys, no spaces.
    ///
    /// A shape that JSON cannot represent, because a float is not finite, has the digest of empty
    /// data.
    public init(_ shape: ModelShape) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = try? encoder.encode(shape)
        description = SHA256.hexDigest(of: json.map([UInt8].init) ?? [])
    }

    /// Reads the digits without checking them.
    public init(from decoder: any Decoder) throws {
        description = try String(from: decoder)
    }

    /// Writes the digits as one string.
    public func encode(to encoder: any Encoder) throws {
        try description.encode(to: encoder)
    }
}
