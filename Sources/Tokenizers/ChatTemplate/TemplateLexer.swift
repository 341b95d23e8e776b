/// A token inside a tag.
enum TemplateToken: Equatable {
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    case symbol(String)
}

/// The tokens of one tag, with the line of each token.
struct TemplateTag {
    var tokens: [(token: TemplateToken, line: Int)] = []
    /// The line that the tag starts on.
    let line: Int
}

/// A part of a template.
enum TemplatePiece {
    case text(String)
    /// `{{ … }}`
    case output(TemplateTag)
    /// `{% … %}`
    case statement(TemplateTag)
}

/// Splits a template into text and tags, and removes white space around tags as Jinja does with
/// `trim_blocks` and `lstrip_blocks`.
struct TemplateLexer {
    private let source: [Unicode.Scalar]
    private var position = 0
    private var line = 1

    /// The maximum number of tokens in a tag.
    private static let maximumTokens = 2000

    init(_ source: String) {
        var scalars: [Unicode.Scalar] = []
        for scalar in source.unicodeScalars {
            if scalar == "\n", scalars.last == "\r" { scalars.removeLast() }
            scalars.append(scalar)
        }
        scalars = scalars.map { $0 == "\r" ? "\n" : $0 }
        if scalars.last == "\n" { scalars.removeLast() }
        self.source = scalars
    }

    mutating func pieces() throws(ChatTemplateError) -> [TemplatePiece] {
        var pieces: [TemplatePiece] = []
        while position < source.count {
            let start = nextTag()
            let isVariable = start + 1 < source.count && source[start + 1] == "{"
            let sign = start + 2 < source.count ? source[start + 2] : " "
            var text = source[position..<start]
            if start < source.count, sign == "-" {
                text = text.prefix(text.count - text.reversed().prefix { $0.isPythonSpace }.count)
            } else if start < source.count, sign != "+", !isVariable {
                text = withoutIndentation(text)
            }
            if !text.isEmpty { pieces.append(.text(String(scalars: text))) }
            advance(to: start)
            guard start < source.count else { break }
            let kind = source[start + 1]
            advance(to: start + (sign == "-" || sign == "+" ? 3 : 2))
            switch kind {
            case "#": try skipComment()
            case "{": pieces.append(.output(try tag(endingWith: "}")))
            default: pieces.append(.statement(try tag(endingWith: "%")))
            }
        }
        return pieces
    }

    /// Returns the position of the next `{{`, `{%` or `{#`.
    private func nextTag() -> Int {
        var place = position
        while place + 1 < source.count {
            if source[place] == "{", ["{", "%", "#"].contains(source[place + 1]) { return place }
            place += 1
        }
        return source.count
    }

    /// Returns a text without the spaces between the start of the line and the following tag.
    private func withoutIndentation(
        _ text: ArraySlice<Unicode.Scalar>
    ) -> ArraySlice<Unicode.Scalar> {
        let lineStart = text.lastIndex(of: "\n").map { $0 + 1 } ?? text.startIndex
        let startsLine =
            lineStart > text.startIndex || lineStart == 0 || source[lineStart - 1] == "\n"
        guard startsLine, text[lineStart...].allSatisfy(\.isPythonSpace) else { return text }
        return text[..<lineStart]
    }

    private mutating func advance(to end: Int) {
        line += source[position..<end].count { $0 == "\n" }
        position = end
    }

    private func has(_ text: String, at place: Int) -> Bool {
        source[place...].starts(with: text.unicodeScalars)
    }

    private mutating func skipComment() throws(ChatTemplateError) {
        var end = position
        while end < source.count, !has("#}", at: end) { end += 1 }
        guard end < source.count else {
            throw ChatTemplateError(line: line, problem: "a comment has no end")
        }
        let sign = end > position ? source[end - 1] : " "
        advance(to: end)
        closeTag(sign: sign, trimsNewline: true)
    }

    /// Skips the two characters that close a tag, and the white space that is removed with it.
    private mutating func closeTag(sign: Unicode.Scalar, trimsNewline: Bool) {
        var end = position + 2
        if sign == "-" {
            while end < source.count, source[end].isPythonSpace { end += 1 }
        } else if sign != "+", trimsNewline, end < source.count, source[end] == "\n" {
            end += 1
        }
        advance(to: end)
    }

    /// Reads the tokens up to the end of a tag: `}}` or `%}`.
    private mutating func tag(
        endingWith first: Unicode.Scalar
    ) throws(ChatTemplateError) -> TemplateTag {
        var tag = TemplateTag(line: line)
        var brackets: [Unicode.Scalar] = []
        let closing = "\(first)}"
        while true {
            while position < source.count, source[position].isPythonSpace {
                advance(to: position + 1)
            }
            guard position < source.count else {
                throw ChatTemplateError(line: tag.line, problem: "a tag has no end")
            }
            if brackets.isEmpty {
                let sign = source[position]
                if has(closing, at: position) {
                    closeTag(sign: " ", trimsNewline: first == "%")
                    return tag
                }
                if sign == "-" || sign == "+" && first == "%", has(closing, at: position + 1) {
                    advance(to: position + 1)
                    closeTag(sign: sign, trimsNewline: first == "%")
                    return tag
                }
            }
            let start = line
            let token = try token()
            switch token {
            case .symbol("("), .symbol("["), .symbol("{"): brackets.append(source[position - 1])
            case .symbol(")"), .symbol("]"), .symbol("}"): _ = brackets.popLast()
            default: break
            }
            tag.tokens.append((token, start))
            // This limits the nesting of evaluation, so that the stack is large enough.
            guard tag.tokens.count <= Self.maximumTokens else {
                throw ChatTemplateError(line: tag.line, problem: "a tag is too long")
            }
        }
    }

    private mutating func token() throws(ChatTemplateError) -> TemplateToken {
        let first = source[position]
        if first == "\"" || first == "'" { return .string(try string(quoted: first)) }
        if first.isWordStart {
            let end = source[position...].firstIndex { !$0.isWordPart } ?? source.count
            defer { advance(to: end) }
            return .name(String(scalars: source[position..<end]))
        }
        if first.isDigit { return try number() }
        for symbol in ["//", "**", "==", "!=", "<=", ">="] where has(symbol, at: position) {
            advance(to: position + 2)
            return .symbol(symbol)
        }
        guard "+-*/%~()[]{}<>=.:|,".unicodeScalars.contains(first) else {
            throw ChatTemplateError(line: line, problem: "'\(first)' is not valid in Jinja")
        }
        advance(to: position + 1)
        return .symbol(String(first))
    }

    private mutating func number() throws(ChatTemplateError) -> TemplateToken {
        let followsDot = position > 0 && source[position - 1] == "."
        var end = source[position...].firstIndex { !$0.isDigit } ?? source.count
        var isInteger = true
        if !followsDot, end + 1 < source.count, source[end] == ".", source[end + 1].isDigit {
            isInteger = false
            end = source[(end + 1)...].firstIndex { !$0.isDigit } ?? source.count
        }
        if !followsDot, end < source.count, source[end] == "e" || source[end] == "E" {
            var digits = end + 1
            if digits < source.count, source[digits] == "-" || source[digits] == "+" { digits += 1 }
            if digits < source.count, source[digits].isDigit {
                isInteger = false
                end = source[digits...].firstIndex { !$0.isDigit } ?? source.count
            }
        }
        let text = String(scalars: source[position..<end])
        advance(to: end)
        if isInteger, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw ChatTemplateError(line: line, problem: "the number \(text) is too large")
        }
        return .number(value)
    }

    private mutating func string(
        quoted quote: Unicode.Scalar
    ) throws(ChatTemplateError) -> String {
        let start = line
        var (text, place) = (String.UnicodeScalarView(), position + 1)
        while place < source.count, source[place] != quote {
            if source[place] == "\\", place + 1 < source.count {
                text.append(contentsOf: try escape(at: &place))
            } else {
                text.append(source[place])
                place += 1
            }
        }
        guard place < source.count else {
            throw ChatTemplateError(line: start, problem: "a string has no end")
        }
        advance(to: place + 1)
        return String(text)
    }

    /// Reads the characters of an escape sequence of Python.
    ///
    /// An unknown sequence is used as it is.
    private func escape(at place: inout Int) throws(ChatTemplateError) -> [Unicode.Scalar] {
        let code = source[place + 1]
        place += 2
        let simple: [Unicode.Scalar: Unicode.Scalar] = [
            "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "0": "\0",
            "a": "\u{7}", "b": "\u{8}", "f": "\u{c}", "v": "\u{b}",
        ]
        if let scalar = simple[code] { return [scalar] }
        if code == "\n" { return [] }
        guard let digits = ["x": 2, "u": 4, "U": 8][code] else { return ["\\", code] }
        let text = String(scalars: source[place..<min(place + digits, source.count)])
        guard text.unicodeScalars.count == digits, let value = UInt32(text, radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw ChatTemplateError(line: line, problem: "\\\(code)\(text) is not a character") }
        place += digits
        return [scalar]
    }
}

extension Unicode.Scalar {
    /// Whether Python's `str.strip` removes this character.
    var isPythonSpace: Bool { properties.isWhitespace || (0x1c...0x1f).contains(value) }

    fileprivate var isDigit: Bool { ("0"..."9").contains(self) }
    fileprivate var isWordStart: Bool { self == "_" || properties.isXIDStart }
    fileprivate var isWordPart: Bool { self == "_" || properties.isXIDContinue }
}

extension String {
    /// The text of scalars.
    init(scalars: some Sequence<Unicode.Scalar>) {
        var view = UnicodeScalarView()
        view.append(contentsOf: scalars)
        self.init(view)
    }
}
