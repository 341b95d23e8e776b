/// Filters and tests.
extension TemplateEvaluator {
    mutating func filter(
        _ value: TemplateValue, _ name: String, _ places: [TemplateValue],
        _ names: [(String, TemplateValue)]
    ) throws(ChatTemplateError) -> TemplateValue {
        func argument(_ index: Int, _ name: String) -> TemplateValue? {
            index < places.count ? places[index] : names.first { $0.0 == name }?.1
        }
        switch name {
        case "trim":
            return .string(value.text.stripped(of: argument(0, "chars").map(\.text)))
        case "tojson":
            guard let text = value.json(indent: argument(0, "indent")?.asInteger) else {
                throw fault("\(value.kind) cannot be written as JSON")
            }
            return .string(text)
        case "length", "count": return .integer(try length(value))
        case "upper": return .string(value.text.uppercased())
        case "lower": return .string(value.text.lowercased())
        case "capitalize": return .string(value.text.sentenceCased)
        case "title": return .string(value.text.capitalized)
        case "string", "safe": return .string(value.text)
        case "int": return .integer(integer(value) ?? argument(0, "default")?.asInteger ?? 0)
        case "float":
            if case .string(let text) = value { return .number(Double(text) ?? 0) }
            return .number(value.asNumber ?? 0)
        case "abs":
            if let integer = value.asInteger, integer > .min { return .integer(abs(integer)) }
            guard let number = value.asNumber else {
                throw fault("the filter 'abs' does not support \(value.kind)")
            }
            return .number(abs(number))
        case "default", "d":
            var isMissing = false
            if case .undefined = value { isMissing = true }
            if argument(1, "boolean")?.isTrue == true, !value.isTrue { isMissing = true }
            return isMissing ? argument(0, "default_value") ?? .string("") : value
        case "join":
            var elements = try elements(of: value)
            if let attribute = argument(1, "attribute") {
                elements = try elements.map { element throws(ChatTemplateError) in
                    try member(attribute.text, of: element)
                }
            }
            return try joined(elements, with: argument(0, "d")?.text ?? "")
        case "list": return .list(try elements(of: value))
        case "first": return try elements(of: value).first ?? .undefined("first")
        case "last": return try elements(of: value).last ?? .undefined("last")
        case "reverse":
            if case .string(let text) = value {
                return .string(String(scalars: text.unicodeScalars.reversed()))
            }
            return .list(try elements(of: value).reversed())
        case "replace":
            return try replaced(
                value.text, argument(0, "old")?.text ?? "", argument(1, "new")?.text ?? "",
                argument(2, "count")?.asInteger ?? -1)
        case "items":
            if case .undefined = value { return .list([]) }
            guard case .mapping(let mapping) = value else {
                throw fault("the filter 'items' does not support \(value.kind)")
            }
            return .list(mapping.members.map { .list([.string($0.key), $0.value]) })
        case "selectattr", "rejectattr", "select", "reject":
            return try selected(value, name, places)
        case "map": return try mapped(value, places, names)
        default: throw fault("the filter '\(name)' is not supported")
        }
    }

    private func length(_ value: TemplateValue) throws(ChatTemplateError) -> Int {
        switch value {
        case .string(let text): text.unicodeScalars.count
        case .list(let elements): elements.count
        case .mapping(let mapping): mapping.members.count
        case .undefined: 0
        default: throw fault("\(value.kind) has no length")
        }
    }

    private func integer(_ value: TemplateValue) -> Int? {
        switch value {
        case .string(let text):
            let text = text.stripped(of: nil)
            return Int(text) ?? Double(text).flatMap { Int(exactly: $0.rounded(.towardZero)) }
        case .number(let number): return Int(exactly: number.rounded(.towardZero))
        default: return value.asInteger
        }
    }

    /// Returns a member of a value by a path with dots.
    private func member(
        _ path: String, of value: TemplateValue
    ) throws(ChatTemplateError) -> TemplateValue {
        var value = value
        for name in path.parts(between: ".", -1) {
            switch value {
            case .mapping(let mapping): value = mapping[name] ?? .undefined(name)
            case .namespace(let namespace): value = namespace.members[name] ?? .undefined(name)
            case .list(let elements):
                guard let place = Int(name), elements.indices.contains(place) else {
                    return .undefined(name)
                }
                value = elements[place]
            default: return .undefined(name)
            }
        }
        return value
    }

    /// Returns the elements for which a test of the element or of one of its members holds.
    ///
    /// `reject` and `rejectattr` return the elements for which the test does not hold.
    private mutating func selected(
        _ value: TemplateValue, _ name: String, _ places: [TemplateValue]
    ) throws(ChatTemplateError) -> TemplateValue {
        let isByMember = name.hasSuffix("attr")
        guard !isByMember || !places.isEmpty else {
            throw fault("the filter '\(name)' needs the name of a member")
        }
        let rest = Array(places.dropFirst(isByMember ? 1 : 0))
        var chosen: [TemplateValue] = []
        for element in try elements(of: value) {
            try step()
            let subject = isByMember ? try member(places[0].text, of: element) : element
            let holds =
                try rest.isEmpty
                ? subject.isTrue : test(subject, rest[0].text, Array(rest.dropFirst()))
            if holds == name.hasPrefix("select") { chosen.append(element) }
        }
        return .list(chosen)
    }

    private mutating func mapped(
        _ value: TemplateValue, _ places: [TemplateValue], _ names: [(String, TemplateValue)]
    ) throws(ChatTemplateError) -> TemplateValue {
        var results: [TemplateValue] = []
        for element in try elements(of: value) {
            try step()
            if let attribute = names.first(where: { $0.0 == "attribute" })?.1 {
                let found = try member(attribute.text, of: element)
                if case .undefined = found,
                    let standard = names.first(where: { $0.0 == "default" })?.1
                {
                    results.append(standard)
                } else {
                    results.append(found)
                }
            } else {
                guard let name = places.first else {
                    throw fault("the filter 'map' needs the name of a filter")
                }
                results.append(try filter(element, name.text, Array(places.dropFirst()), names))
            }
        }
        return .list(results)
    }

    func test(
        _ value: TemplateValue, _ name: String, _ places: [TemplateValue]
    ) throws(ChatTemplateError) -> Bool {
        func other() throws(ChatTemplateError) -> TemplateValue {
            guard let first = places.first else { throw fault("the test '\(name)' needs a value") }
            return first
        }
        switch name {
        case "defined":
            if case .undefined = value { return false }
            return true
        case "undefined":
            if case .undefined = value { return true }
            return false
        case "none":
            if case .null = value { return true }
            return false
        case "string":
            if case .string = value { return true }
            return false
        case "mapping":
            if case .mapping = value { return true }
            return false
        case "iterable", "sequence":
            switch value {
            case .string, .list, .mapping: return true
            case .undefined: return name == "iterable"
            default: return false
            }
        case "boolean":
            if case .bool = value { return true }
            return false
        case "true", "false":
            guard case .bool(let flag) = value else { return false }
            return flag == (name == "true")
        case "integer":
            if case .integer = value { return true }
            return false
        case "float":
            if case .number = value { return true }
            return false
        case "number": return value.asNumber != nil
        case "callable":
            switch value {
            case .function, .method, .macro: return true
            default: return false
            }
        case "odd", "even":
            guard let integer = value.asInteger else {
                throw fault("the test '\(name)' does not support \(value.kind)")
            }
            return (integer % 2 == 0) == (name == "even")
        case "divisibleby":
            guard let integer = value.asInteger, let divisor = try other().asInteger, divisor != 0
            else { throw fault("the test 'divisibleby' needs two integers, the second not 0") }
            return integer.quotientAndRemainder(dividingBy: divisor == -1 ? 1 : divisor)
                .remainder == 0
        case "equalto", "eq", "==": return try compare(value, "==", other())
        case "sameas": return try compare(value, "==", other())
        case "ne", "!=": return try compare(value, "!=", other())
        case "in": return try compare(value, "in", other())
        case "lt", "lessthan": return try compare(value, "<", other())
        case "le": return try compare(value, "<=", other())
        case "gt", "greaterthan": return try compare(value, ">", other())
        case "ge": return try compare(value, ">=", other())
        case "lower":
            let text = value.text
            return text.lowercased() == text && text.uppercased() != text
        case "upper":
            let text = value.text
            return text.uppercased() == text && text.lowercased() != text
        default: throw fault("the test '\(name)' is not supported")
        }
    }
}
