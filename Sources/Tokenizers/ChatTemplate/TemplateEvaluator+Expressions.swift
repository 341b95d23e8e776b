extension TemplateEvaluator {
    mutating func evaluate(
        _ expression: TemplateExpression
    ) throws(ChatTemplateError) -> TemplateValue {
        try step()
        switch expression {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .string(let text): return .string(text)
        case .name(let name): return variable(name)
        case .list(let parts):
            var elements: [TemplateValue] = []
            for part in parts { elements.append(try evaluate(part)) }
            return .list(elements)
        case .mapping(let parts):
            var mapping = TemplateMapping()
            for part in parts {
                guard case .string(let key) = try evaluate(part.key) else {
                    throw fault("a mapping with keys that are not strings is not supported")
                }
                mapping[key] = try evaluate(part.value)
            }
            return .mapping(mapping)
        case .attribute(let base, let name): return try attribute(name, of: evaluate(base))
        case .subscripted(let base, let index):
            return try element(evaluate(index), of: evaluate(base))
        case .slice(let base, let from, let to, let step):
            return try slice(evaluate(base), bound(from), bound(to), bound(step))
        case .call(let callee, let arguments): return try call(callee, arguments)
        case .filter(let base, let name, let arguments):
            let value = try evaluate(base)
            let (places, names) = try values(of: arguments)
            return try filter(value, name, places, names)
        case .test(let base, let name, let arguments):
            let value = try evaluate(base)
            return .bool(try test(value, name, try values(of: arguments).places))
        case .negative(let part):
            let value = try evaluate(part)
            if let integer = value.asInteger, integer > .min { return .integer(-integer) }
            guard let number = value.asNumber else {
                throw fault("\(value.kind) cannot be negated")
            }
            return .number(-number)
        case .not(let part): return .bool(!(try evaluate(part).isTrue))
        case .and(let left, let right):
            let value = try evaluate(left)
            return value.isTrue ? try evaluate(right) : value
        case .or(let left, let right):
            let value = try evaluate(left)
            return value.isTrue ? value : try evaluate(right)
        case .binary(let left, let symbol, let right):
            return try binary(evaluate(left), symbol, evaluate(right))
        case .comparison(let first, let others):
            var left = try evaluate(first)
            for (symbol, expression) in others {
                let right = try evaluate(expression)
                guard try compare(left, symbol, right) else { return .bool(false) }
                left = right
            }
            return .bool(true)
        case .conditional(let value, let condition, let other):
            if try evaluate(condition).isTrue { return try evaluate(value) }
            guard let other else { return .undefined("the missing else value") }
            return try evaluate(other)
        }
    }

    /// Evaluates arguments.
    mutating func values(
        of arguments: TemplateArguments
    ) throws(ChatTemplateError) -> (places: [TemplateValue], names: [(String, TemplateValue)]) {
        var (places, names) = ([TemplateValue](), [(String, TemplateValue)]())
        for argument in arguments.places { places.append(try evaluate(argument)) }
        for argument in arguments.names {
            names.append((argument.name, try evaluate(argument.value)))
        }
        return (places, names)
    }

    private mutating func call(
        _ callee: TemplateExpression, _ arguments: TemplateArguments
    ) throws(ChatTemplateError) -> TemplateValue {
        let callee = try evaluate(callee)
        let (places, names) = try values(of: arguments)
        switch callee {
        case .macro(let macro): return try call(macro, places, names)
        case .function(let name): return try call(function: name, places, names)
        case .method(let value, let name): return try call(name, of: value, places, names)
        case .undefined(let name): throw fault("the function '\(name)' is not supported")
        default: throw fault("\(callee.kind) is not a function")
        }
    }

    /// Returns `value.name`: a method, or otherwise a member.
    private func attribute(
        _ name: String, of value: TemplateValue
    ) throws(ChatTemplateError) -> TemplateValue {
        if Self.methods(of: value).contains(name) { return .method(value, name) }
        switch value {
        case .undefined(let base): throw fault("'\(base)' is undefined, so it has no '\(name)'")
        case .mapping(let mapping): return mapping[name] ?? .undefined(name)
        case .namespace(let namespace): return namespace.members[name] ?? .undefined(name)
        case .string, .list:
            throw fault("the method '\(name)' of \(value.kind) is not supported")
        default: return .undefined(name)
        }
    }

    /// Returns `value[index]`.
    private func element(
        _ index: TemplateValue, of value: TemplateValue
    ) throws(ChatTemplateError) -> TemplateValue {
        switch (value, index) {
        case (.undefined(let base), _): throw fault("'\(base)' is undefined, so it has no elements")
        case (.mapping(let mapping), .string(let key)): return mapping[key] ?? .undefined(key)
        case (.namespace(let namespace), .string(let key)):
            return namespace.members[key] ?? .undefined(key)
        case (.list(let elements), _):
            guard let place = place(index, of: elements.count) else { break }
            return elements[place]
        case (.string(let text), _):
            let scalars = Array(text.unicodeScalars)
            guard let place = place(index, of: scalars.count) else { break }
            return .string(String(scalars[place]))
        default: break
        }
        return .undefined(index.text)
    }

    /// Returns the position of an index; a negative index counts from the end.
    private func place(_ index: TemplateValue, of count: Int) -> Int? {
        guard let index = index.asInteger, index >= -count, index < count else { return nil }
        return index < 0 ? index + count : index
    }

    private mutating func bound(
        _ expression: TemplateExpression?
    ) throws(ChatTemplateError) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        if case .null = value { return nil }
        guard let bound = value.asInteger else {
            throw fault("\(value.kind) is not a valid slice bound")
        }
        return bound
    }

    /// Returns `value[from:to:step]`, as in Python.
    private func slice(
        _ value: TemplateValue, _ from: Int?, _ to: Int?, _ step: Int?
    ) throws(ChatTemplateError) -> TemplateValue {
        let step = step ?? 1
        guard step != 0, step > .min else { throw fault("a slice cannot have step \(step)") }
        func places(of count: Int) -> [Int] {
            let lowest = step > 0 ? 0 : -1
            let highest = step > 0 ? count : count - 1
            func bound(_ given: Int?, else standard: Int) -> Int {
                guard let given else { return standard }
                guard given < 0 else { return min(given, highest) }
                return given < -count ? lowest : max(given + count, lowest)
            }
            return Array(
                stride(
                    from: bound(from, else: step > 0 ? 0 : count - 1),
                    to: bound(to, else: step > 0 ? count : -1), by: step))
        }
        switch value {
        case .list(let elements): return .list(places(of: elements.count).map { elements[$0] })
        case .string(let text):
            let scalars = Array(text.unicodeScalars)
            return .string(String(scalars: places(of: scalars.count).map { scalars[$0] }))
        default: throw fault("\(value.kind) cannot be sliced")
        }
    }

    private func binary(
        _ left: TemplateValue, _ symbol: String, _ right: TemplateValue
    ) throws(ChatTemplateError) -> TemplateValue {
        if symbol == "~" { return try joined(left.text, right.text) }
        switch (left, symbol, right) {
        case (.string(let left), "+", .string(let right)): return try joined(left, right)
        case (.list(let left), "+", .list(let right)):
            guard left.count + right.count <= Self.maximumElements else {
                throw fault("a list is too long")
            }
            return .list(left + right)
        case (.string(let text), "*", .integer(let count)):
            let (bytes, overflow) = text.utf8.count.multipliedReportingOverflow(by: max(count, 0))
            guard !overflow, bytes <= Self.maximumBytes else { throw fault("a string is too long") }
            return .string(String(repeating: text, count: max(count, 0)))
        case (.string, "%", _):
            throw fault("formatting with % is not supported")
        default: break
        }
        if symbol != "/", let first = left.asInteger, let second = right.asInteger {
            return .integer(try integer(first, symbol, second))
        }
        guard let first = left.asNumber, let second = right.asNumber else {
            throw fault("\(left.kind) \(symbol) \(right.kind) is not supported")
        }
        let isDivision = ["/", "//", "%"].contains(symbol)
        if isDivision, second == 0 { throw fault("division by zero") }
        switch symbol {
        case "+": return .number(first + second)
        case "-": return .number(first - second)
        case "*": return .number(first * second)
        case "/": return .number(first / second)
        case "//": return .number((first / second).rounded(.down))
        default: return .number(first - (first / second).rounded(.down) * second)
        }
    }

    private func integer(
        _ first: Int, _ symbol: String, _ second: Int
    ) throws(ChatTemplateError) -> Int {
        if symbol == "//" || symbol == "%" {
            guard second != 0 else { throw fault("division by zero") }
            guard second != -1 else { return symbol == "%" ? 0 : try integer(0, "-", first) }
            let (quotient, remainder) = first.quotientAndRemainder(dividingBy: second)
            let isRoundedUp = remainder != 0 && (remainder < 0) != (second < 0)
            if symbol == "%" { return isRoundedUp ? remainder + second : remainder }
            return isRoundedUp ? quotient - 1 : quotient
        }
        let (result, overflow) =
            symbol == "+"
            ? first.addingReportingOverflow(second)
            : symbol == "-"
                ? first.subtractingReportingOverflow(second)
                : first.multipliedReportingOverflow(by: second)
        guard !overflow else { throw fault("\(first) \(symbol) \(second) is too large") }
        return result
    }

    func joined(_ left: String, _ right: String) throws(ChatTemplateError) -> TemplateValue {
        guard left.utf8.count + right.utf8.count <= Self.maximumBytes else {
            throw fault("a string is too long")
        }
        return .string(left + right)
    }

    func compare(
        _ left: TemplateValue, _ symbol: String, _ right: TemplateValue
    ) throws(ChatTemplateError) -> Bool {
        switch symbol {
        case "==": return left.equals(right)
        case "!=": return !left.equals(right)
        case "in": return try contains(right, left)
        case "not in": return !(try contains(right, left))
        default: break
        }
        if let left = left.asNumber, let right = right.asNumber {
            return symbol == "<"
                ? left < right
                : symbol == "<=" ? left <= right : symbol == ">" ? left > right : left >= right
        }
        guard case .string(let first) = left, case .string(let second) = right else {
            throw fault("\(left.kind) \(symbol) \(right.kind) is not supported")
        }
        let isBefore = first.utf8.lexicographicallyPrecedes(second.utf8)
        let isSame = first.hasSameScalars(as: second)
        return symbol == "<"
            ? isBefore
            : symbol == "<=" ? isBefore || isSame : symbol == ">" ? !isBefore && !isSame : !isBefore
    }

    /// Returns whether `element in container` holds.
    private func contains(
        _ container: TemplateValue, _ element: TemplateValue
    ) throws(ChatTemplateError) -> Bool {
        switch (container, element) {
        case (.string(let text), .string(let part)):
            return text.firstPlace(of: part) != nil
        case (.list(let elements), _): return elements.contains { $0.equals(element) }
        case (.mapping(let mapping), .string(let key)): return mapping[key] != nil
        case (.mapping, _), (.undefined, _): return false
        default: throw fault("\(element.kind) in \(container.kind) is not supported")
        }
    }
}
