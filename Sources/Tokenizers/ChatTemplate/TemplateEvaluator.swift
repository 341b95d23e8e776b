import Foundation

/// Renders the nodes of a template.
struct TemplateEvaluator {
    /// The variables of every scope, the innermost scope last.
    var scopes: [[String: TemplateValue]]
    let date: Date
    private var output = ""
    private var steps = 0
    private var macroDepth = 0
    /// The line of the current tag, for errors.
    private(set) var line = 1

    /// The maximum number of nodes and expressions that one rendering evaluates.
    private static let maximumSteps = 300_000
    /// The maximum number of UTF-8 bytes of a text.
    static let maximumBytes = 1 << 24
    /// The maximum number of elements of a list.
    static let maximumElements = 100_000
    /// The maximum nesting of macro calls.
    private static let maximumMacroDepth = 30

    /// How a loop continues after a node.
    private enum Flow {
        case onwards
        case nextRound
        case leave
    }

    init(_ variables: [String: TemplateValue], date: Date) {
        scopes = [variables]
        self.date = date
    }

    func fault(_ problem: String) -> ChatTemplateError {
        ChatTemplateError(line: line, problem: problem)
    }

    mutating func render(_ nodes: [TemplateNode]) throws(ChatTemplateError) -> String {
        _ = try run(nodes)
        return output
    }

    /// Counts steps, so that every template ends.
    mutating func step() throws(ChatTemplateError) {
        steps += 1
        guard steps <= Self.maximumSteps else { throw fault("the template takes too many steps") }
    }

    private mutating func write(_ text: String) throws(ChatTemplateError) {
        output += text
        guard output.utf8.count <= Self.maximumBytes else { throw fault("the text is too long") }
    }

    private mutating func run(_ nodes: [TemplateNode]) throws(ChatTemplateError) -> Flow {
        for node in nodes {
            try step()
            line = node.line
            switch node.kind {
            case .text(let text): try write(text)
            case .output(let expression): try write(try evaluate(expression).text)
            case .branch(let branches, let otherwise):
                var taken = otherwise
                for branch in branches {
                    line = node.line
                    if try evaluate(branch.condition).isTrue {
                        taken = branch.body
                        break
                    }
                }
                let flow = try run(taken)
                if flow != .onwards { return flow }
            case .loop(let loop): try run(loop)
            case .set(let target, let expression): try set(target, try evaluate(expression))
            case .setBlock(let target, let body):
                let text = try captured { evaluator throws(ChatTemplateError) in
                    _ = try evaluator.run(body)
                }
                try set(target, .string(text))
            case .macro(let macro): scopes[scopes.count - 1][macro.name] = .macro(macro)
            case .breakLoop: return .leave
            case .continueLoop: return .nextRound
            }
        }
        return .onwards
    }

    /// Returns the text that a body writes.
    private mutating func captured(
        _ body: (inout TemplateEvaluator) throws(ChatTemplateError) -> Void
    ) throws(ChatTemplateError) -> String {
        let before = output
        output = ""
        try body(&self)
        defer { output = before }
        return output
    }

    private mutating func set(
        _ target: TemplateTarget, _ value: TemplateValue
    ) throws(ChatTemplateError) {
        switch target {
        case .name(let name): scopes[scopes.count - 1][name] = value
        case .member(let name, let member):
            guard case .namespace(let namespace) = variable(name) else {
                throw fault("'\(name)' is not a namespace, so its members cannot be set")
            }
            namespace.members[member] = value
        }
    }

    func variable(_ name: String) -> TemplateValue {
        for scope in scopes.reversed() {
            if let value = scope[name] { return value }
        }
        return Self.functions.contains(name) ? .function(name) : .undefined(name)
    }

    private mutating func run(_ loop: TemplateLoop) throws(ChatTemplateError) {
        var elements = try elements(of: try evaluate(loop.sequence))
        if let condition = loop.condition {
            var chosen: [TemplateValue] = []
            for element in elements {
                scopes.append(try bindings(loop.names, element))
                defer { scopes.removeLast() }
                if try evaluate(condition).isTrue { chosen.append(element) }
            }
            elements = chosen
        }
        if elements.isEmpty { _ = try run(loop.otherwise) }
        for (index, element) in elements.enumerated() {
            try step()
            var scope = try bindings(loop.names, element)
            scope["loop"] = .mapping(Self.loopMembers(at: index, of: elements))
            scopes.append(scope)
            defer { scopes.removeLast() }
            if try run(loop.body) == .leave { break }
        }
    }

    private func bindings(
        _ names: [String], _ element: TemplateValue
    ) throws(ChatTemplateError) -> [String: TemplateValue] {
        guard names.count > 1 else { return [names[0]: element] }
        guard case .list(let parts) = element, parts.count == names.count else {
            throw fault("a loop over \(names.count) names cannot use \(element.kind)")
        }
        return Dictionary(zip(names, parts)) { $1 }
    }

    private static func loopMembers(at index: Int, of elements: [TemplateValue]) -> TemplateMapping
    {
        let count = elements.count
        var members: [(key: String, value: TemplateValue)] = [
            ("index", .integer(index + 1)), ("index0", .integer(index)),
            ("revindex", .integer(count - index)), ("revindex0", .integer(count - index - 1)),
            ("first", .bool(index == 0)), ("last", .bool(index == count - 1)),
            ("length", .integer(count)), ("depth", .integer(1)), ("depth0", .integer(0)),
        ]
        if index > 0 { members.append(("previtem", elements[index - 1])) }
        if index + 1 < count { members.append(("nextitem", elements[index + 1])) }
        return TemplateMapping(unique: members)
    }

    /// Returns the elements that a loop iterates over.
    func elements(of value: TemplateValue) throws(ChatTemplateError) -> [TemplateValue] {
        switch value {
        case .list(let elements): return elements
        case .undefined: return []
        case .string(let text): return text.unicodeScalars.map { .string(String($0)) }
        case .mapping(let mapping): return mapping.members.map { .string($0.key) }
        default: throw fault("\(value.kind) cannot be looped over")
        }
    }

    /// Calls a macro with values.
    mutating func call(
        _ macro: TemplateMacro, _ places: [TemplateValue], _ names: [(String, TemplateValue)]
    ) throws(ChatTemplateError) -> TemplateValue {
        guard macroDepth < Self.maximumMacroDepth else {
            throw fault("macros are nested too deeply")
        }
        guard places.count <= macro.parameters.count,
            names.allSatisfy({ name in macro.parameters.contains { $0.name == name.0 } })
        else {
            throw fault("the macro \(macro.name) is called with arguments that it does not have")
        }
        let outer = scopes
        scopes = [outer[0], [:]]
        macroDepth += 1
        defer {
            scopes = outer
            macroDepth -= 1
        }
        for (index, parameter) in macro.parameters.enumerated() {
            var value = TemplateValue.undefined(parameter.name)
            if index < places.count {
                value = places[index]
            } else if let named = names.first(where: { $0.0 == parameter.name }) {
                value = named.1
            } else if let standard = parameter.standard {
                value = try evaluate(standard)
            }
            scopes[1][parameter.name] = value
        }
        return .string(
            try captured { evaluator throws(ChatTemplateError) in
                _ = try evaluator.run(macro.body)
            })
    }
}
