/// A piece of XHTML: literals are markup, interpolated texts are escaped.
///
/// So `"<td>\(name)</td>" as Markup` is safe, whatever `name` contains.
struct Markup: ExpressibleByStringInterpolation, Equatable {
    /// The markup as text.
    let text: String

    init(stringLiteral text: String) { self.text = text }

    init(stringInterpolation parts: StringInterpolation) { text = parts.text }

    struct StringInterpolation: StringInterpolationProtocol {
        var text = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + 16 * interpolationCount)
        }

        mutating func appendLiteral(_ literal: String) { text += literal }

        mutating func appendInterpolation(_ value: String) { text += Markup.escaped(value) }

        mutating func appendInterpolation(_ value: Markup) { text += value.text }

        mutating func appendInterpolation(_ values: [Markup]) {
            text += values.map(\.text).joined(separator: "\n")
        }

        mutating func appendInterpolation(_ value: Int) { text += "\(value)" }

        /// Appends a coordinate, rounded to a tenth of a unit.
        mutating func appendInterpolation(_ value: Double) {
            let tenths = Int((max(-1e6, min(1e6, value.isNaN ? 0 : value)) * 10).rounded())
            text += tenths % 10 == 0 ? "\(tenths / 10)" : "\(Double(tenths) / 10)"
        }
    }

    /// Returns the text with escapes for characters that have a meaning in XML.
    ///
    /// Characters that XML forbids even as escapes become U+FFFD.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\t", "\n": result.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}":
                result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
