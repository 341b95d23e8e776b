import ModelFiles
import Tensors

/// Damages the bytes of a file at random.
struct Mutation {
    var random: SplitMix64

    private static let hostileIntegers: [UInt64] = [
        0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, 1 << 24, 1 << 31, (1 << 31) - 1, 1 << 32,
        (1 << 32) - 1, 1 << 53, 1 << 60, 1 << 61, 1 << 62, 1 << 63, (1 << 63) - 1, .max, .max - 7,
    ]
    private static let hostileWords = [
        "-1", "0", "-0.0", "0.5", "1e-320", "1e308", "1e999", "-1e999", "NaN", "Infinity", "null",
        "true", "\"\"", "\"a\"", "[]", "{}", "[null]", "9223372036854775807", "9223372036854775808",
        "-9223372036854775808", "18446744073709551616", "4294967296",
        "2147483648", "1e18", "16777217",
        "\"\\ud800\"", "\"\\u0000\"", "\"\\u001b[31m\"", "[[[[", "]", "}", ",", ":", "\"",
    ]

    /// Returns the bytes after one to four changes.
    ///
    /// - Parameters:
    ///   - bytes: The file.
    ///   - head: The number of bytes of the header, in which most changes are made.
    ///   - other: Another file, from which bytes are copied.
    /// - Returns: The damaged file.
    mutating func damaged(_ bytes: [UInt8], head: Int, other: [UInt8]) -> [UInt8] {
        if let json = structured(bytes) { return json }
        var bytes = bytes
        for _ in 0..<(1 << below(3)) where !bytes.isEmpty {
            damageOnce(&bytes, head: below(8) == 0 ? bytes.count : min(head, bytes.count), other)
        }
        return bytes
    }

    private mutating func below(_ count: Int) -> Int {
        Int.random(in: 0..<max(1, count), using: &random)
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }

    private mutating func damageOnce(_ bytes: inout [UInt8], head: Int, _ other: [UInt8]) {
        let at = below(head)
        let end = min(bytes.count, at + 1 + below(64))
        switch below(14) {
        case 0: bytes[at] ^= 1 << UInt8(below(8))
        case 1: bytes[at] = UInt8(below(256))
        case 2: bytes.removeSubrange(at..<end)
        case 3: bytes.insert(contentsOf: bytes[at..<end], at: at)
        case 4: bytes.removeSubrange(at...)
        case 5:
            let from = below(other.count)
            let piece = other[from..<min(other.count, from + 1 + below(256))]
            bytes.replaceSubrange(at..<(below(2) == 0 ? at : end), with: piece)
        case 6:
            let open = pick(["[", "{\"a\":", "(", "{%", "[[", "\"\\"])
            bytes.insert(contentsOf: (0..<(1 << below(15))).flatMap { _ in open.utf8 }, at: at)
        case 7:
            let noise = (0..<below(40)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            bytes.insert(contentsOf: noise, at: at)
        case 8, 9, 10:
            let width = [1, 2, 4, 8, 8][below(5)]
            let value = pick(Self.hostileIntegers)
            let place = below(2) == 0 ? at : at / 8 * 8
            for byte in 0..<width where place + byte < bytes.count {
                bytes[place + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))
            }
        default:
            // Replaces a full number, so that the text around it stays well-formed.
            let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
            guard let start = bytes[at...].firstIndex(where: digits.contains) else { return }
            let stop = bytes[start...].firstIndex { !digits.contains($0) } ?? bytes.count
            let word = below(2) == 0 ? String(below(300)) : pick(Self.hostileWords)
            bytes.replaceSubrange(start..<stop, with: Array(word.utf8))
        }
    }

    /// Returns a JSON or safetensors file with some changed values.
    ///
    /// Returns nil for other files, and in half of all calls.
    private mutating func structured(_ bytes: [UInt8]) -> [UInt8]? {
        guard below(2) == 0, let first = bytes.first else { return nil }
        if first == UInt8(ascii: "{"), let json = try? JSONValue(parsing: bytes, file: "") {
            return changed(json).encoded()
        }
        guard bytes.count > 9, bytes[8] == UInt8(ascii: "{"), bytes[3...7].allSatisfy({ $0 == 0 })
        else { return nil }
        let end = 8 + Int(bytes[0]) + Int(bytes[1]) << 8 + Int(bytes[2]) << 16
        guard end <= bytes.count,
            let json = try? JSONValue(parsing: Array(bytes[8..<end]), file: "")
        else { return nil }
        let header = changed(json).encoded()
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        return length + header + bytes[end...]
    }

    private mutating func changed(_ json: JSONValue) -> JSONValue {
        var json = json
        for _ in 0...below(2) {
            var countdown = below(min(size(of: json), 4000))
            json = replaced(json, &countdown)
        }
        return json
    }

    private func size(of value: JSONValue) -> Int {
        switch value {
        case .array(let elements): elements.reduce(1) { $0 + size(of: $1) }
        case .object(let members): members.values.reduce(1) { $0 + size(of: $1) }
        default: 1
        }
    }

    /// Returns the value after replacing or removing one part, counted in the order of the keys.
    private mutating func replaced(_ value: JSONValue, _ countdown: inout Int) -> JSONValue {
        countdown -= 1
        if countdown == -1 { return substitute(for: value) }
        switch value {
        case .array(var elements):
            for place in elements.indices {
                elements[place] = replaced(elements[place], &countdown)
                if countdown < 0 {
                    if below(6) == 0 { elements.remove(at: place) }
                    break
                }
            }
            return .array(elements)
        case .object(var members):
            for key in members.keys.sorted() {
                members[key] = replaced(members[key] ?? .null, &countdown)
                if countdown < 0 {
                    if below(4) == 0 { members[key] = nil }
                    break
                }
            }
            return .object(members)
        default: return value
        }
    }

    private mutating func substitute(for value: JSONValue) -> JSONValue {
        let integer = Int(truncatingIfNeeded: pick(Self.hostileIntegers))
        if case .integer(let number) = value, below(2) == 0 {
            return .integer(
                [number &+ 1, number &- 1, number &* 2, 0 &- number, number / 2][below(5)])
        }
        if case .array(let elements) = value, below(2) == 0 {
            return .array(elements + elements.prefix(below(4)) + [.null])
        }
        switch below(12) {
        case 0: return .null
        case 1: return .bool(below(2) == 0)
        case 2, 3: return .integer(integer)
        case 4: return .integer(-integer.magnitude.clamped)
        case 5:
            return .number(pick([0.5, -1.5, 1e308, -1e308, .leastNonzeroMagnitude, 1e18, 4.3e9]))
        case 6: return .string(pick(["", "a", "##", "\u{0}", "\u{301}", "é", "(?i)[", "\\"]))
        case 7:
            return .string(pick(["llama", "bert", "BPE", "WordPiece", "ByteLevel", "F16", "I64"]))
        case 8: return .array([])
        case 9: return .object([:])
        case 10: return .array([value, value])
        default: return .object(["type": value, "a": value])
        }
    }
}

extension UInt {
    fileprivate var clamped: Int { Int(clamping: self) }
}
