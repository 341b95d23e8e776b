/// The character classes that tokenizers split by.
extension Unicode.Scalar {
    /// Returns whether a version of Unicode has this scalar.
    ///
    /// Vocabularies were made with the tables of older versions.
    func isAssigned(inUnicode version: Int) -> Bool {
        value < 0x80 || (properties.age.map { $0.major <= version } ?? false)
    }

    /// `\s`.
    var isSpace: Bool { properties.isWhitespace }

    /// `\w`: alphabetic, mark, decimal digit, connector punctuation or join control.
    var isWordCharacter: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
            true
        default: properties.isAlphabetic || properties.isJoinControl
        }
    }

    /// Whether BERT treats the scalar as punctuation: all ASCII symbols, and category P of Unicode
    /// 8.
    var isBertPunctuation: Bool {
        if value < 0x80 {
            return (0x21...0x7E).contains(value) && !properties.isAlphabetic
                && !(0x30...0x39).contains(value)
        }
        switch properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation, .finalPunctuation, .otherPunctuation:
            return isAssigned(inUnicode: 8)
        default:
            return value == 0x166D || value == 0x111C9
        }
    }

    /// Whether the scalar is a combining mark that BERT strips as an accent: category Mn of Unicode
    /// 8.
    var isBertAccent: Bool {
        switch value {
        case 0x1734, 0x1171E: true
        case 0x1885, 0x1886, 0xA9BD, 0x111C9: false
        default: properties.generalCategory == .nonspacingMark && isAssigned(inUnicode: 8)
        }
    }

    /// Whether BERT removes the scalar: NUL, U+FFFD, and the control, format and private-use
    /// characters of Unicode 8, except tab and line ends.
    var isBertControl: Bool {
        switch value {
        case 0, 0xFFFD: true
        case 0x09, 0x0A, 0x0D: false
        default:
            switch properties.generalCategory {
            case .control, .privateUse: true
            case .format: isAssigned(inUnicode: 8)
            default: false
            }
        }
    }

    /// Whether the scalar is a Chinese character, which BERT treats as a separate word.
    var isBertChinese: Bool {
        switch value {
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
            0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }
}
