/// A part of a template that writes or changes something.
struct TemplateNode: Sendable {
    /// The line of the tag.
    let line: Int
    let kind: Kind

    indirect enum Kind: Sendable {
        case text(String)
        case output(TemplateExpression)
        case branch(
            [(condition: TemplateExpression, body: [TemplateNode])], otherwise: [TemplateNode])
        case loop(TemplateLoop)
        case set(TemplateTarget, TemplateExpression)
        case setBlock(TemplateTarget, [TemplateNode])
        case macro(TemplateMacro)
        case breakLoop
        case continueLoop
    }
}

/// The target of `set`.
enum TemplateTarget: Sendable {
    case name(String)
    /// A member of a namespace.
    case member(String, String)
}

/// A loop: `{% for names in sequence if condition %}`.
struct TemplateLoop: Sendable {
    let names: [String]
    let sequence: TemplateExpression
    let condition: TemplateExpression?
    let body: [TemplateNode]
    /// The nodes for an empty sequence.
    let otherwise: [TemplateNode]
}

/// A macro: `{% macro name(parameters) %}`.
struct TemplateMacro: Sendable {
    let name: String
    let parameters: [(name: String, standard: TemplateExpression?)]
    let body: [TemplateNode]
}

/// The arguments of a call, a filter or a test.
struct TemplateArguments: Sendable {
    var places: [TemplateExpression] = []
    var names: [(name: String, value: TemplateExpression)] = []
}

/// An expression.
indirect enum TemplateExpression: Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case name(String)
    case list([TemplateExpression])
    case mapping([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, String)
    case subscripted(TemplateExpression, TemplateExpression)
    case slice(
        TemplateExpression, from: TemplateExpression?, to: TemplateExpression?,
        step: TemplateExpression?)
    case call(TemplateExpression, TemplateArguments)
    case filter(TemplateExpression, String, TemplateArguments)
    case test(TemplateExpression, String, TemplateArguments)
    case negative(TemplateExpression)
    case not(TemplateExpression)
    case and(TemplateExpression, TemplateExpression)
    case or(TemplateExpression, TemplateExpression)
    case binary(TemplateExpression, String, TemplateExpression)
    case comparison(TemplateExpression, [(symbol: String, value: TemplateExpression)])
    case conditional(TemplateExpression, if: TemplateExpression, else: TemplateExpression?)
}
