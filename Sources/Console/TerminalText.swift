/// Prepares text for a terminal.
public enum TerminalText {
    /// Returns the text broken at spaces into lines of a page's width.
    public static func wrapped(_ text: String) -> String {
        TextLayout.wrapped(text, to: TextLayout.pageWidth).joined(separator: "\n")
    }

    /// Returns a text that is safe to print.
    ///
    /// Names and texts from files may contain any character. Characters that would move the cursor,
    /// change the order of letters or begin another line become escapes, such as `\u{1B}` or `\n`.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - keepingLines: Whether line ends stay as they are.
    ///   - limit: The maximum number of characters; the rest is replaced by an ellipsis.
    /// - Returns: The text without control characters.
    public static func printable(
        _ text: String, keepingLines: Bool = false, limit: Int = .max
    ) -> String {
        var (shown, count) = (String.UnicodeScalarView(), 0)
        for scalar in text.unicodeScalars {
            guard count < limit else { return String(shown) + "…" }
            count += 1
            switch scalar {
            case "\n" where keepingLines: shown.append(scalar)
            case "\n": shown.append(contentsOf: "\\n".unicodeScalars)
            case "\r": shown.append(contentsOf: "\\r".unicodeScalars)
            case "\t": shown.append(contentsOf: "\\t".unicodeScalars)
            case _ where isUnsafe(scalar):
                let digits = String(scalar.value, radix: 16, uppercase: true)
                shown.append(contentsOf: "\\u{\(digits)}".unicodeScalars)
            default: shown.append(scalar)
            }
        }
        return String(shown)
    }

    /// Returns whether a character controls the terminal or the text around it.
    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        // Some languages and emoji need joiners.
        case .format: scalar != "\u{200C}" && scalar != "\u{200D}"
        default: false
        }
    }
}
