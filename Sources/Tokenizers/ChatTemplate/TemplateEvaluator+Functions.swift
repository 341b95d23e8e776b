import Foundation

/// The functions that every template has, and the methods of values.
extension TemplateEvaluator {
    static let functions: Set<String> = [
        "namespace", "range", "dict", "raise_exception", "strftime_now",
    ]

    /// Returns the supported methods of a value.
    static func methods(of value: TemplateValue) -> Set<String> {
        switch value {
        case .string: stringMethods
        case .mapping: ["items", "keys", "values", "get"]
        default: []
        }
    }

    private static let stringMethods: Set<String> = [
        "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "splitlines", "lower",
        "upper", "title", "capitalize", "replace", "find", "count", "join", "removeprefix",
        "removesuffix", "isdigit",
    ]

    mutating func call(
        function name: String, _ places: [TemplateValue], _ names: [(String, TemplateValue)]
    ) throws(ChatTemplateError) -> TemplateValue {
        switch name {
        case "namespace":
            var members = TemplateMapping(names)
            for case .mapping(let more) in places {
                for (key, value) in more.members { members[key] = value }
            }
            return .namespace(TemplateNamespace(members))
        case "dict": return .mapping(TemplateMapping(names))
        case "range": return try range(places)
        case "raise_exception":
            throw fault("the template refuses the conversation: \(places.first?.text ?? "")")
        default:
            guard case .string(let format)? = places.first else {
                throw fault("strftime_now needs a format")
            }
            return .string(formatted(format))
        }
    }

    private func range(_ places: [TemplateValue]) throws(ChatTemplateError) -> TemplateValue {
        let bounds = places.compactMap(\.asInteger)
        guard bounds.count == places.count, (1...3).contains(bounds.count) else {
            throw fault("range needs one to three integers")
        }
        let (from, to) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
        let step = bounds.count == 3 ? bounds[2] : 1
        guard step != 0, max(from.magnitude, to.magnitude) < 1 << 40,
            abs(to - from) / max(1, Int(min(step.magnitude, 1 << 40))) <= Self.maximumElements
        else { throw fault("a range is too long") }
        return .list(stride(from: from, to: to, by: step).map(TemplateValue.integer))
    }

    /// Returns the date in a format of C's `strftime`.
    private func formatted(_ format: String) -> String {
        var seconds = time_t(date.timeIntervalSince1970)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 1024)
        let count = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    mutating func call(
        _ name: String, of value: TemplateValue, _ places: [TemplateValue],
        _ names: [(String, TemplateValue)]
    ) throws(ChatTemplateError) -> TemplateValue {
        switch value {
        case .mapping(let mapping):
            let members = mapping.members
            switch name {
            case "items":
                return .list(members.map { .list([.string($0.key), $0.value]) })
            case "keys": return .list(members.map { .string($0.key) })
            case "values": return .list(members.map(\.value))
            default:
                guard case .string(let key)? = places.first else {
                    throw fault("the method 'get' needs a key")
                }
                return mapping[key] ?? (places.count > 1 ? places[1] : .null)
            }
        case .string(let text): return try call(name, of: text, places, names)
        default: throw fault("the method '\(name)' of \(value.kind) is not supported")
        }
    }

    private func call(
        _ name: String, of text: String, _ places: [TemplateValue],
        _ names: [(String, TemplateValue)]
    ) throws(ChatTemplateError) -> TemplateValue {
        guard names.isEmpty else {
            throw fault("the method '\(name)' with named arguments is not supported")
        }
        func argument(_ index: Int) throws(ChatTemplateError) -> String {
            guard index < places.count, case .string(let text) = places[index] else {
                throw fault("the method '\(name)' needs a string")
            }
            return text
        }
        switch name {
        case "strip", "lstrip", "rstrip":
            return .string(
                text.stripped(
                    of: places.isEmpty ? nil : try argument(0), left: name != "rstrip",
                    right: name != "lstrip"))
        case "startswith", "endswith":
            var options = [places.first ?? .null]
            if case .list(let several)? = places.first { options = several }
            for case .string(let part) in options {
                let isThere =
                    name == "startswith"
                    ? text.utf8.starts(with: part.utf8)
                    : text.utf8.reversed().starts(with: part.utf8.reversed())
                if isThere { return .bool(true) }
            }
            return .bool(false)
        case "split":
            let most = places.count > 1 ? places[1].asInteger ?? -1 : -1
            if case .null = places.first ?? .null { return .list(text.words(most)) }
            let separator = try argument(0)
            guard !separator.isEmpty else { throw fault("the method 'split' needs a separator") }
            return .list(text.parts(between: separator, most).map(TemplateValue.string))
        case "splitlines":
            var lines = text.parts(between: "\n", -1)
            if lines.last == "" { lines.removeLast() }
            return .list(lines.map(TemplateValue.string))
        case "lower": return .string(text.lowercased())
        case "upper": return .string(text.uppercased())
        case "title": return .string(text.capitalized)
        case "capitalize": return .string(text.sentenceCased)
        case "replace":
            let most = places.count > 2 ? places[2].asInteger ?? -1 : -1
            return try replaced(text, try argument(0), try argument(1), most)
        case "find":
            return .integer(text.firstPlace(of: try argument(0)) ?? -1)
        case "count":
            let part = try argument(0)
            guard !part.isEmpty else {
                throw fault("the method 'count' needs a text that is not empty")
            }
            return .integer(text.parts(between: part, -1).count - 1)
        case "join":
            return try joined(try elements(of: places.first ?? .null), with: text)
        case "removeprefix":
            let part = try argument(0)
            guard text.utf8.starts(with: part.utf8) else { return .string(text) }
            return .string(
                String(scalars: text.unicodeScalars.dropFirst(part.unicodeScalars.count)))
        case "removesuffix":
            let part = try argument(0)
            guard text.utf8.reversed().starts(with: part.utf8.reversed()) else {
                return .string(text)
            }
            return .string(
                String(scalars: text.unicodeScalars.dropLast(part.unicodeScalars.count)))
        default:
            return .bool(
                !text.isEmpty
                    && text.unicodeScalars.allSatisfy { $0.properties.numericType == .decimal })
        }
    }

    func replaced(
        _ text: String, _ old: String, _ new: String, _ most: Int = -1
    ) throws(ChatTemplateError) -> TemplateValue {
        guard !old.isEmpty else { throw fault("replace needs a text that is not empty") }
        let parts = text.parts(between: old, most)
        return try joined(parts.map(TemplateValue.string), with: new)
    }

    func joined(
        _ elements: [TemplateValue], with separator: String
    ) throws(ChatTemplateError) -> TemplateValue {
        let texts = elements.map(\.text)
        let bytes =
            texts.reduce(0) { $0 + $1.utf8.count }
            + separator.utf8.count * max(0, texts.count - 1)
        guard bytes <= Self.maximumBytes else { throw fault("a string is too long") }
        return .string(texts.joined(separator: separator))
    }
}

/// Python's methods of text, by code points.
extension String {
    /// Returns the text without white space, or without given characters, at its ends.
    func stripped(of characters: String?, left: Bool = true, right: Bool = true) -> String {
        let isRemoved: (Unicode.Scalar) -> Bool =
            characters.map { characters in { characters.unicodeScalars.contains($0) } }
            ?? { $0.isPythonSpace }
        var scalars = Substring(self).unicodeScalars
        if left { scalars = scalars.drop(while: isRemoved) }
        if right {
            while let last = scalars.last, isRemoved(last) { scalars.removeLast() }
        }
        return String(scalars)
    }

    /// Returns the number of code points before the first occurrence of a part; nil if there is
    /// none.
    func firstPlace(of part: String) -> Int? {
        guard !part.isEmpty else { return 0 }
        guard let range = utf8Range(of: part, from: utf8.startIndex) else { return nil }
        return unicodeScalars[..<range.lowerBound].count
    }

    /// Returns the parts between separators; `most` is the maximum number of splits, or negative.
    func parts(between separator: String, _ most: Int) -> [String] {
        var (parts, start) = ([String](), utf8.startIndex)
        while most < 0 || parts.count < most,
            let range = utf8Range(of: separator, from: start)
        {
            parts.append(String(self[start..<range.lowerBound]))
            start = range.upperBound
        }
        return parts + [String(self[start...])]
    }

    /// Returns the words between white space; `most` is the maximum number of splits, or negative.
    fileprivate func words(_ most: Int) -> [TemplateValue] {
        var words: [TemplateValue] = []
        var rest = Substring(stripped(of: nil, right: false)).unicodeScalars
        while !rest.isEmpty {
            if most >= 0, words.count == most {
                words.append(.string(String(rest)))
                break
            }
            words.append(.string(String(rest.prefix { !$0.isPythonSpace })))
            rest = rest.drop { !$0.isPythonSpace }.drop(while: \.isPythonSpace)
        }
        return words
    }

    /// The text with its first letter in upper case and all other letters in lower case.
    var sentenceCased: String { prefix(1).uppercased() + dropFirst().lowercased() }

    private func utf8Range(of part: String, from start: Index) -> Range<Index>? {
        let (bytes, expected) = (utf8, Array(part.utf8))
        var place = start
        while place < bytes.endIndex {
            if bytes[place] == expected[0], bytes[place...].starts(with: expected) {
                return place..<bytes.index(place, offsetBy: expected.count)
            }
            place = bytes.index(after: place)
        }
        return nil
    }
}
