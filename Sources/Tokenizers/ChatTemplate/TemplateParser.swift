/// Parses the pieces of a template as nodes.
struct TemplateParser {
    private let pieces: [TemplatePiece]
    private var position = 0
    private var depth = 0

    /// The maximum nesting of blocks.
    private static let maximumDepth = 50

    init(_ pieces: [TemplatePiece]) {
        self.pieces = pieces
    }

    mutating func document() throws(ChatTemplateError) -> [TemplateNode] {
        try body(until: [], of: "the template", line: 1).nodes
    }

    /// Parses nodes up to a tag with one of some names; returns the tokens after the name too.
    private mutating func body(
        until ends: [String], of opener: String, line: Int
    ) throws(ChatTemplateError) -> (nodes: [TemplateNode], end: String, rest: ExpressionParser) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw ChatTemplateError(line: line, problem: "blocks are nested too deeply")
        }
        var nodes: [TemplateNode] = []
        while position < pieces.count {
            let piece = pieces[position]
            position += 1
            switch piece {
            case .text(let text): nodes.append(TemplateNode(line: line, kind: .text(text)))
            case .output(let tag):
                var parser = ExpressionParser(tag)
                let value = try parser.expression()
                try parser.finish()
                nodes.append(TemplateNode(line: tag.line, kind: .output(value)))
            case .statement(let tag):
                var parser = ExpressionParser(tag)
                let name = try parser.name()
                if ends.contains(name) { return (nodes, name, parser) }
                nodes += try statement(name, &parser, line: tag.line)
            }
        }
        guard ends.isEmpty else {
            throw ChatTemplateError(
                line: line, problem: "\(opener) has no {% \(ends.last ?? "") %}")
        }
        return (nodes, "", ExpressionParser(TemplateTag(line: line)))
    }

    /// Parses nodes up to the tag with a name, which must have no further tokens.
    private mutating func body(
        until end: String, line: Int
    ) throws(ChatTemplateError) -> [TemplateNode] {
        var (nodes, _, rest) = try body(until: [end], of: "a block", line: line)
        try rest.finish()
        return nodes
    }

    private mutating func statement(
        _ name: String, _ parser: inout ExpressionParser, line: Int
    ) throws(ChatTemplateError) -> [TemplateNode] {
        let kind: TemplateNode.Kind
        switch name {
        case "if": kind = try branch(&parser, line: line)
        case "for": kind = try loop(&parser, line: line)
        case "set": kind = try set(&parser, line: line)
        case "macro": kind = try macro(&parser, line: line)
        case "break": kind = .breakLoop
        case "continue": kind = .continueLoop
        // The tag marks text that a model is trained on, which has no effect here.
        case "generation":
            try parser.finish()
            return try body(until: "endgeneration", line: line)
        default:
            throw ChatTemplateError(
                line: line, problem: "the tag {% \(name) %} is not supported or out of place")
        }
        try parser.finish()
        return [TemplateNode(line: line, kind: kind)]
    }

    private mutating func branch(
        _ parser: inout ExpressionParser, line: Int
    ) throws(ChatTemplateError) -> TemplateNode.Kind {
        var branches: [(condition: TemplateExpression, body: [TemplateNode])] = []
        var condition = try parser.expression()
        try parser.finish()
        while true {
            var (nodes, end, rest) = try body(
                until: ["elif", "else", "endif"], of: "{% if %}", line: line)
            branches.append((condition, nodes))
            if end == "elif" { condition = try rest.expression() }
            try rest.finish()
            if end == "endif" { return .branch(branches, otherwise: []) }
            if end == "else" {
                return .branch(branches, otherwise: try body(until: "endif", line: line))
            }
        }
    }

    private mutating func loop(
        _ parser: inout ExpressionParser, line: Int
    ) throws(ChatTemplateError) -> TemplateNode.Kind {
        let isGrouped = parser.take("(")
        var names = [try parser.name()]
        while parser.take(",") { names.append(try parser.name()) }
        if isGrouped { try parser.require(")") }
        try parser.require(word: "in")
        let sequence = try parser.expression(allowingCondition: false)
        let condition = parser.take(word: "if") ? try parser.expression() : nil
        if parser.take(word: "recursive") {
            throw ChatTemplateError(line: line, problem: "a recursive {% for %} is not supported")
        }
        try parser.finish()
        var (nodes, end, rest) = try body(
            until: ["else", "endfor"], of: "{% for %}", line: line)
        try rest.finish()
        let otherwise = end == "else" ? try body(until: "endfor", line: line) : []
        return .loop(
            TemplateLoop(
                names: names, sequence: sequence, condition: condition, body: nodes,
                otherwise: otherwise))
    }

    private mutating func set(
        _ parser: inout ExpressionParser, line: Int
    ) throws(ChatTemplateError) -> TemplateNode.Kind {
        let name = try parser.name()
        let target: TemplateTarget =
            parser.take(".") ? .member(name, try parser.name()) : .name(name)
        if parser.take("=") { return .set(target, try parser.expression()) }
        guard parser.isAtEnd else {
            throw ChatTemplateError(
                line: line, problem: "{% set %} of several names or with a filter is not supported")
        }
        return .setBlock(target, try body(until: "endset", line: line))
    }

    private mutating func macro(
        _ parser: inout ExpressionParser, line: Int
    ) throws(ChatTemplateError) -> TemplateNode.Kind {
        let name = try parser.name()
        var parameters: [(name: String, standard: TemplateExpression?)] = []
        try parser.require("(")
        while !parser.take(")") {
            if !parameters.isEmpty { try parser.require(",") }
            let parameter = try parser.name()
            parameters.append((parameter, parser.take("=") ? try parser.expression() : nil))
        }
        try parser.finish()
        return .macro(
            TemplateMacro(
                name: name, parameters: parameters, body: try body(until: "endmacro", line: line)))
    }
}
