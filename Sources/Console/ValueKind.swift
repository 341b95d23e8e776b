/// A kind of value of an option or positional argument, with its parser and its text in help.
public struct ValueKind<Value> {
    /// The placeholder of the value in help.
    let placeholder: String
    /// A description of valid values, which follows the word "needs" in errors.
    let expectation: String
    /// The limits in help; empty if there are none.
    var constraint = ""
    var completion = Declaration.Completion.none
    /// The placeholder value that is returned while arguments are only declared.
    let example: Value
    let parse: (String) -> Value?
    var show: (Value) -> String = { "\($0)" }

    /// Returns the same kind with another placeholder.
    public func named(_ placeholder: String) -> ValueKind {
        ValueKind(
            placeholder: placeholder, expectation: expectation, constraint: constraint,
            completion: completion, example: example, parse: parse, show: show)
    }

    /// One of the cases of an enumeration, by its raw value.
    public static func choice(of cases: Value.Type = Value.self) -> ValueKind
    where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
        let all = Array(Value.allCases)
        precondition(!all.isEmpty, "the enumeration has no cases to choose from")
        let words = all.map(\.rawValue)
        return ValueKind(
            placeholder: "NAME", expectation: "one of \(words.joined(separator: ", "))",
            constraint: words.joined(separator: ", "), completion: .choices(words),
            example: all[0], parse: Value.init(rawValue:), show: \.rawValue)
    }
}

extension ValueKind where Value == String {
    /// Any text.
    public static var text: ValueKind {
        ValueKind(placeholder: "TEXT", expectation: "a text", example: "", parse: { $0 })
    }

    /// The path of a file.
    ///
    /// Some commands read standard input if the path is `-`.
    public static var file: ValueKind { path("FILE", .file) }

    /// The path of a directory.
    ///
    /// A trailing slash, which shells add, is removed.
    public static var directory: ValueKind {
        path("DIRECTORY", .directory) { text in
            let end = text.lastIndex { $0 != "/" } ?? text.startIndex
            return text.isEmpty ? nil : String(text[...end])
        }
    }

    private static func path(
        _ placeholder: String, _ completion: Declaration.Completion,
        parse: @escaping (String) -> String? = { $0.isEmpty ? nil : $0 }
    ) -> ValueKind {
        ValueKind(
            placeholder: placeholder, expectation: "a path", completion: completion, example: ".",
            parse: parse)
    }
}

extension ValueKind where Value == Int {
    /// Any whole number.
    public static var integer: ValueKind { integer(in: .min ... .max) }

    /// A whole number with a minimum.
    public static func integer(atLeast minimum: Int) -> ValueKind { integer(in: minimum ... .max) }

    /// A whole number within limits.
    public static func integer(in limits: ClosedRange<Int>) -> ValueKind {
        let constraint = describe(
            lower: limits.lowerBound == .min ? nil : "\(limits.lowerBound)",
            upper: limits.upperBound == .max ? nil : "\(limits.upperBound)")
        return ValueKind(
            placeholder: "N",
            expectation: "a whole number\(constraint.isEmpty ? "" : ", \(constraint)")",
            constraint: constraint, example: min(max(1, limits.lowerBound), limits.upperBound),
            parse: { Int($0).flatMap { limits.contains($0) ? $0 : nil } })
    }
}

extension ValueKind where Value == UInt64 {
    /// A seed of random choices.
    public static var seed: ValueKind {
        ValueKind(
            placeholder: "SEED", expectation: "a whole number, 0 or more", example: 0,
            parse: { UInt64($0) })
    }
}

extension ValueKind where Value == Double {
    /// Any finite number.
    public static var number: ValueKind { number(constraint: "", example: 1) { _ in true } }

    /// A number within limits.
    public static func number(in limits: ClosedRange<Double>) -> ValueKind {
        number(
            constraint: describe(
                lower: short(limits.lowerBound), upper: short(limits.upperBound)),
            example: min(max(1, limits.lowerBound), limits.upperBound), limits.contains)
    }

    /// A number with a minimum.
    public static func number(atLeast minimum: Double) -> ValueKind {
        number(constraint: "\(short(minimum)) or more", example: max(1, minimum)) { $0 >= minimum }
    }

    /// A number above a bound.
    public static func number(above bound: Double) -> ValueKind {
        number(constraint: "above \(short(bound))", example: max(1, bound + 1)) { $0 > bound }
    }

    private static func number(
        constraint: String, example: Double, _ isGood: @escaping (Double) -> Bool
    ) -> ValueKind {
        ValueKind(
            placeholder: "X", expectation: "a number\(constraint.isEmpty ? "" : ", \(constraint)")",
            constraint: constraint, example: example,
            parse: { Double($0).flatMap { $0.isFinite && isGood($0) ? $0 : nil } }, show: short)
    }
}

/// Returns the text of limits: `1 to 1024`, `1 or more`, `1024 or less`, or empty.
private func describe(lower: String?, upper: String?) -> String {
    switch (lower, upper) {
    case (let lower?, let upper?): "\(lower) to \(upper)"
    case (let lower?, nil): "\(lower) or more"
    case (nil, let upper?): "\(upper) or less"
    case (nil, nil): ""
    }
}

/// Returns the text of a number, without `.0` at its end.
private func short(_ number: Double) -> String {
    "\(number)".hasSuffix(".0") ? String("\(number)".dropLast(2)) : "\(number)"
}
