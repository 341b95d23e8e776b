/// GPT-2's alphabet, which represents every byte by a printable character.
///
/// Printable bytes of Latin-1 represent themselves. The remaining 68 bytes are represented by the
/// characters U+0100 to U+0143.
enum ByteAlphabet {
    /// The character of every byte.
    static let characters: [Unicode.Scalar] = {
        var spare: UInt8 = 0
        return (0...255).map { (byte: UInt8) in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
            default:
                defer { spare += 1 }
                return Unicode.Scalar(0x100 + UInt32(spare)) ?? "\u{FFFD}"
            }
        }
    }()

    private static let bytes = Dictionary(
        uniqueKeysWithValues: zip(characters, (0...255).map { UInt8($0) }))

    /// Returns the bytes that a token represents; nil if it has a character outside the alphabet.
    static func bytes(of token: String) -> [UInt8]? {
        var decoded: [UInt8] = []
        for scalar in token.unicodeScalars {
            guard let byte = bytes[scalar] else { return nil }
            decoded.append(byte)
        }
        return decoded
    }
}
