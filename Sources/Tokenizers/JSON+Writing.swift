extension JSON {
    /// The value as JSON in UTF-8 without needless white space.
    var encoded: [UInt8] {
        var output: [UInt8] = []
        write(to: &output)
        return output
    }

    private func write(to output: inout [UInt8]) {
        switch self {
        case .null: output += "null".utf8
        case .boolean(let flag): output += (flag ? "true" : "false").utf8
        case .number(let number):
            if let integer = Int64(exactly: number) {
                output += String(integer).utf8
            } else {
                output += String(number).utf8
            }
        case .string(let text): Self.write(text, to: &output)
        case .array(let values):
            output += "[".utf8
            for (index, value) in values.enumerated() {
                if index > 0 { output += ",".utf8 }
                value.write(to: &output)
            }
            output += "]".utf8
        case .object(let members):
            output += "{".utf8
            for (index, member) in members.enumerated() {
                if index > 0 { output += ",".utf8 }
                Self.write(member.key, to: &output)
                output += ":".utf8
                member.value.write(to: &output)
            }
            output += "}".utf8
        }
    }

    private static func write(_ text: String, to output: inout [UInt8]) {
        let hexadecimal = Array("0123456789abcdef".utf8)
        output += "\"".utf8
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                output += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                output += "\\u00".utf8
                output += [hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
            default:
                output.append(byte)
            }
        }
        output += "\"".utf8
    }
}
