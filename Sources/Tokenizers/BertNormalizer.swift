import Foundation

/// BERT's normalisation of text before it is split.
///
/// It gives exactly the results of the `tokenizers` package, which uses the tables of Unicode 8
/// (character categories) and Unicode 12 (decompositions).
struct BertNormalizer: Sendable {
    var cleansText = true
    var isolatesChinese = true
    var stripsAccents = true
    var lowercases = true

    /// Returns normalised text, from UTF-8 to UTF-8.
    func normalize(_ text: [UInt8]) -> [UInt8] {
        var output = Output()
        output.bytes.reserveCapacity(text.count)
        var decompositions: [Unicode.Scalar: [Unicode.Scalar]] = [:]
        var index = 0
        while index < text.count {
            let scalar = text.scalar(at: index)
            index = text.endOfScalar(at: index)
            if scalar.isASCII {
                appendASCII(UInt8(scalar.value), to: &output)
            } else if let cleaned = clean(scalar) {
                let isolated = isolatesChinese && cleaned.isBertChinese
                if isolated { output.append(" ") }
                if stripsAccents {
                    let parts =
                        decompositions[cleaned] ?? cleaned.decomposed
                    decompositions[cleaned] = parts
                    for part in parts { append(part, to: &output) }
                } else {
                    append(cleaned, to: &output)
                }
                if isolated { output.append(" ") }
            }
        }
        output.flush()
        return output.bytes
    }

    private func appendASCII(_ byte: UInt8, to output: inout Output) {
        if cleansText, byte < 0x20 || byte == 0x7F {
            if byte == 0x09 || byte == 0x0A || byte == 0x0D { output.append(" ") }
        } else if lowercases, (0x41...0x5A).contains(byte) {
            output.append(Unicode.Scalar(byte + 0x20))
        } else {
            output.append(Unicode.Scalar(byte))
        }
    }

    private func clean(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        if !cleansText { return scalar }
        if scalar.isBertControl { return nil }
        return scalar.isSpace ? " " : scalar
    }

    private func append(_ scalar: Unicode.Scalar, to output: inout Output) {
        if stripsAccents {
            if scalar.isBertAccent { return }
            let combiningClass = scalar.properties.canonicalCombiningClass.rawValue
            if combiningClass != 0, scalar.isAssigned(inUnicode: 12) {
                output.marks.append((combiningClass, lowercase(scalar)))
                return
            }
        }
        for part in lowercase(scalar).unicodeScalars { output.append(part) }
    }

    private func lowercase(_ scalar: Unicode.Scalar) -> String {
        lowercases ? scalar.properties.lowercaseMapping : String(scalar)
    }

    /// The text so far.
    ///
    /// Combining marks are held back until they can be put in canonical order.
    private struct Output {
        var bytes: [UInt8] = []
        var marks: [(combiningClass: UInt8, text: String)] = []

        mutating func append(_ scalar: Unicode.Scalar) {
            if !marks.isEmpty { flush() }
            if scalar.isASCII {
                bytes.append(UInt8(scalar.value))
            } else {
                bytes += UTF8.encode(scalar).map(Array.init) ?? []
            }
        }

        mutating func flush() {
            let ordered = marks.enumerated().sorted {
                ($0.element.combiningClass, $0.offset) < ($1.element.combiningClass, $1.offset)
            }
            for mark in ordered { bytes += mark.element.text.utf8 }
            marks.removeAll()
        }
    }
}

extension Unicode.Scalar {
    /// The canonical decomposition (NFD) of Unicode 12.
    fileprivate var decomposed: [Unicode.Scalar] {
        guard isAssigned(inUnicode: 12) else { return [self] }
        return Array(String(self).decomposedStringWithCanonicalMapping.unicodeScalars)
    }
}
