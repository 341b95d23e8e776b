/// Parses the tokens of one tag as expressions, with the precedence of Jinja.
struct ExpressionParser {
    private let tag: TemplateTag
    private var position = 0
    private var depth = 0

    /// The maximum nesting of expressions.
    private static let maximumDepth = 50

    init(_ tag: TemplateTag) {
        self.tag = tag
    }

    var isAtEnd: Bool { position == tag.tokens.count }

    private var token: TemplateToken? { isAtEnd ? nil : tag.tokens[position].token }

    func fault(_ problem: String) -> ChatTemplateError {
        let line = isAtEnd ? tag.tokens.last?.line ?? tag.line : tag.tokens[position].line
        return ChatTemplateError(line: line, problem: problem)
    }

    /// The error for a token that is not allowed at this place.
    private var unexpected: ChatTemplateError {
        switch token {
        case .name(let text), .symbol(let text): fault("'\(text)' is not supported here")
        case .string(let text): fault("the string '\(text)' is not supported here")
        case .integer(let value): fault("the number \(value) is not supported here")
        case .number(let value): fault("the number \(value) is not supported here")
        case nil: fault("the tag ends too early")
        }
    }

    mutating func take(_ symbol: String) -> Bool {
        guard token == .symbol(symbol) else { return false }
        position += 1
        return true
    }

    mutating func take(word: String) -> Bool {
        guard token == .name(word) else { return false }
        position += 1
        return true
    }

    mutating func require(_ symbol: String) throws(ChatTemplateError) {
        if !take(symbol) { throw unexpected }
    }

    mutating func require(word: String) throws(ChatTemplateError) {
        if !take(word: word) { throw unexpected }
    }

    mutating func finish() throws(ChatTemplateError) {
        if !isAtEnd { throw unexpected }
    }

    mutating func name() throws(ChatTemplateError) -> String {
        guard case .name(let name) = token else { throw unexpected }
        position += 1
        return name
    }

    /// Parses `a if b else c`, or an expression of higher precedence.
    mutating func expression(
        allowingCondition: Bool = true
    ) throws(ChatTemplateError) -> TemplateExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw fault("an expression is nested too deeply") }
        var value = try either()
        while allowingCondition, take(word: "if") {
            let condition = try either()
            let other = take(word: "else") ? try expression() : nil
            value = .conditional(value, if: condition, else: other)
        }
        return value
    }

    private mutating func either() throws(ChatTemplateError) -> TemplateExpression {
        var value = try both()
        while take(word: "or") { value = .or(value, try both()) }
        return value
    }

    private mutating func both() throws(ChatTemplateError) -> TemplateExpression {
        var value = try negation()
        while take(word: "and") { value = .and(value, try negation()) }
        return value
    }

    private mutating func negation() throws(ChatTemplateError) -> TemplateExpression {
        var count = 0
        while take(word: "not") { count += 1 }
        let value = try comparison()
        guard count > 0 else { return value }
        return count % 2 == 1 ? .not(value) : .not(.not(value))
    }

    private mutating func comparison() throws(ChatTemplateError) -> TemplateExpression {
        let first = try sum()
        var others: [(symbol: String, value: TemplateExpression)] = []
        while let token {
            if case .symbol(let symbol) = token,
                ["==", "!=", "<", "<=", ">", ">="].contains(symbol)
            {
                position += 1
                others.append((symbol, try sum()))
            } else if take(word: "in") {
                others.append(("in", try sum()))
            } else if token == .name("not"), position + 1 < tag.tokens.count,
                tag.tokens[position + 1].token == .name("in")
            {
                position += 2
                others.append(("not in", try sum()))
            } else {
                break
            }
        }
        return others.isEmpty ? first : .comparison(first, others)
    }

    private mutating func sum() throws(ChatTemplateError) -> TemplateExpression {
        try chain(["+", "-"]) { (parser) throws(ChatTemplateError) in try parser.joined() }
    }

    private mutating func joined() throws(ChatTemplateError) -> TemplateExpression {
        try chain(["~"]) { (parser) throws(ChatTemplateError) in try parser.product() }
    }

    private mutating func product() throws(ChatTemplateError) -> TemplateExpression {
        try chain(["*", "/", "//", "%"]) { (parser) throws(ChatTemplateError) in
            try parser.unary()
        }
    }

    /// Parses operands with left-associative operators of one precedence.
    private mutating func chain(
        _ symbols: [String],
        _ operand: (inout ExpressionParser) throws(ChatTemplateError) -> TemplateExpression
    ) throws(ChatTemplateError) -> TemplateExpression {
        var value = try operand(&self)
        while case .symbol(let symbol) = token, symbols.contains(symbol) {
            position += 1
            value = .binary(value, symbol, try operand(&self))
        }
        return value
    }

    private mutating func unary(
        withFilters: Bool = true
    ) throws(ChatTemplateError) -> TemplateExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw fault("an expression is nested too deeply") }
        var value: TemplateExpression
        if take("-") {
            value = .negative(try unary(withFilters: false))
        } else if take("+") {
            value = try unary(withFilters: false)
        } else {
            value = try postfix(of: primary())
        }
        while withFilters {
            if take("|") {
                let name = try name()
                value = .filter(value, name, take("(") ? try arguments() : TemplateArguments())
                value = try postfix(of: value)
            } else if take(word: "is") {
                let isNegated = take(word: "not")
                let name = try name()
                let test = TemplateExpression.test(value, name, try testArguments())
                value = isNegated ? .not(test) : test
            } else {
                break
            }
        }
        return value
    }

    /// Parses the arguments of a test: in parentheses, or one argument without parentheses.
    private mutating func testArguments() throws(ChatTemplateError) -> TemplateArguments {
        if take("(") { return try arguments() }
        switch token {
        case .string, .integer, .number, .symbol("["), .symbol("{"):
            return TemplateArguments(places: [try postfix(of: primary())])
        case .name(let name) where !["and", "or", "else", "if", "is", "in", "not"].contains(name):
            return TemplateArguments(places: [try postfix(of: primary())])
        default: return TemplateArguments()
        }
    }

    private mutating func postfix(
        of start: TemplateExpression
    ) throws(ChatTemplateError) -> TemplateExpression {
        var value = start
        while true {
            if take(".") {
                if case .integer(let index) = token {
                    position += 1
                    value = .subscripted(value, .integer(index))
                } else {
                    value = .attribute(value, try name())
                }
            } else if take("[") {
                value = try subscripted(value)
            } else if take("(") {
                value = .call(value, try arguments())
            } else {
                return value
            }
        }
    }

    private mutating func subscripted(
        _ value: TemplateExpression
    ) throws(ChatTemplateError) -> TemplateExpression {
        var parts: [TemplateExpression?] = [nil]
        while !take("]") {
            if take(":") {
                parts.append(nil)
            } else {
                guard parts[parts.count - 1] == nil else { throw unexpected }
                parts[parts.count - 1] = try expression()
            }
        }
        if parts.count == 1, let index = parts[0] { return .subscripted(value, index) }
        guard (2...3).contains(parts.count) else { throw fault("a subscript is not valid") }
        return .slice(
            value, from: parts[0], to: parts[1], step: parts.count == 3 ? parts[2] : nil)
    }

    /// Parses the arguments after an opening parenthesis.
    private mutating func arguments() throws(ChatTemplateError) -> TemplateArguments {
        var arguments = TemplateArguments()
        while !take(")") {
            if !arguments.places.isEmpty || !arguments.names.isEmpty {
                try require(",")
                if take(")") { break }
            }
            if case .name(let name) = token, position + 1 < tag.tokens.count,
                tag.tokens[position + 1].token == .symbol("=")
            {
                position += 2
                arguments.names.append((name, try expression()))
            } else {
                guard arguments.names.isEmpty else { throw unexpected }
                arguments.places.append(try expression())
            }
        }
        return arguments
    }

    private mutating func primary() throws(ChatTemplateError) -> TemplateExpression {
        guard let token else { throw unexpected }
        switch token {
        case .name(let name):
            guard !["if", "else", "and", "or", "not", "in", "is", "for"].contains(name) else {
                throw unexpected
            }
            position += 1
            switch name {
            case "true", "True": return .bool(true)
            case "false", "False": return .bool(false)
            case "none", "None": return .null
            default: return .name(name)
            }
        case .string(var text):
            position += 1
            while case .string(let more) = self.token {
                text += more
                position += 1
            }
            return .string(text)
        case .integer(let value):
            position += 1
            return .integer(value)
        case .number(let value):
            position += 1
            return .number(value)
        case .symbol("("):
            position += 1
            return try tuple()
        case .symbol("["):
            position += 1
            return .list(try elements(until: "]"))
        case .symbol("{"):
            position += 1
            return try mapping()
        case .symbol: throw unexpected
        }
    }

    /// Parses an expression in parentheses, or a tuple, which is treated as a list.
    private mutating func tuple() throws(ChatTemplateError) -> TemplateExpression {
        if take(")") { return .list([]) }
        let first = try expression()
        if take(")") { return first }
        try require(",")
        return .list([first] + (try elements(until: ")")))
    }

    private mutating func elements(
        until end: String
    ) throws(ChatTemplateError) -> [TemplateExpression] {
        var elements: [TemplateExpression] = []
        while !take(end) {
            elements.append(try expression())
            if take(end) { break }
            try require(",")
        }
        return elements
    }

    private mutating func mapping() throws(ChatTemplateError) -> TemplateExpression {
        var members: [(key: TemplateExpression, value: TemplateExpression)] = []
        while !take("}") {
            let key = try expression()
            try require(":")
            members.append((key, try expression()))
            if take("}") { break }
            try require(",")
        }
        return .mapping(members)
    }
}
