/// The classes of characters that the splitting patterns distinguish.
enum CharacterClass: UInt8, Sendable {
    /// `\p{L}`
    case letter
    /// `\p{N}`
    case number
    /// `\s`
    case space
    case other

    /// The class of a scalar by the tables of Unicode 16.
    init(_ scalar: Unicode.Scalar) {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            self = scalar.isAssigned(inUnicode: 16) ? .letter : .other
        case .decimalNumber, .letterNumber, .otherNumber:
            self = scalar.isAssigned(inUnicode: 16) ? .number : .other
        default:
            self = scalar.isSpace ? .space : .other
        }
    }

    /// The classes of ASCII.
    static let ascii = (0..<128).map { CharacterClass(Unicode.Scalar(UInt8($0))) }
}

/// Text in UTF-8 with a class for every byte: the class of the character that contains the byte.
struct ClassifiedText {
    let bytes: [UInt8]
    let classes: [CharacterClass]

    /// Classifies valid UTF-8.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        let ascii = CharacterClass.ascii
        var classes: [CharacterClass] = []
        classes.reserveCapacity(bytes.count)
        for index in bytes.indices {
            let byte = bytes[index]
            if byte < 0x80 {
                classes.append(ascii[Int(byte)])
            } else if bytes.continuesScalar(at: index), let last = classes.last {
                classes.append(last)
            } else {
                classes.append(CharacterClass(bytes.scalar(at: index)))
            }
        }
        self.classes = classes
    }
}
