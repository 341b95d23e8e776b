/// Reads scalars from bytes that are known to be valid UTF-8.
extension [UInt8] {
    /// Returns whether a byte continues the scalar of the previous byte.
    func continuesScalar(at index: Int) -> Bool {
        self[index] & 0xC0 == 0x80
    }

    /// Returns the first index after the scalar that starts at an index.
    func endOfScalar(at index: Int) -> Int {
        var end = index + 1
        while end < count, continuesScalar(at: end) { end += 1 }
        return end
    }

    /// Returns the start of the scalar that ends before `end`, which must not be 0.
    func startOfScalar(before end: Int) -> Int {
        var start = end - 1
        while start > 0, continuesScalar(at: start) { start -= 1 }
        return start
    }

    /// Returns the scalar that starts at an index.
    func scalar(at index: Int) -> Unicode.Scalar {
        let lead = self[index]
        if lead < 0x80 { return Unicode.Scalar(lead) }
        let end = endOfScalar(at: index)
        var value = UInt32(lead) & (0x7F >> UInt32(end - index))
        for byte in self[index + 1..<end] { value = value << 6 | UInt32(byte & 0x3F) }
        return Unicode.Scalar(value) ?? "\u{FFFD}"
    }
}
