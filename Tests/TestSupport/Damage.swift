// A static build of the package has no Testing module and does not use this file.
#if canImport(Testing)
    public import ModelFiles
    internal import Tensors
    internal import Testing

    /// Damages the header of a file in 4000 ways, and reads each damaged file.
    ///
    /// - Parameters:
    ///   - original: The bytes of a valid file.
    ///   - header: The number of bytes at the beginning that may be damaged.
    ///   - read: A function that reads a file or throws an error.
    /// - Throws: The error of reading the original.
    public func damage(
        _ original: [UInt8], header: Int, _ read: ([UInt8]) throws(ModelFileError) -> Void
    ) throws {
        try read(original)
        var random = SplitMix64(seed: 42)
        var refused = 0
        for _ in 0..<4000 {
            var bytes = original
            for _ in 0..<(Bool.random(using: &random) ? 1 : 2) {
                damageOnce(&bytes, header: min(header, bytes.count), using: &random)
            }
            do { try read(bytes) } catch {
                refused += 1
                #expect(!error.problem.isEmpty && !error.remedy.isEmpty)
            }
        }
        #expect(refused > 4000 / 3, "too few damaged files give an error")
    }

    /// Makes one change within the first `header` bytes.
    private func damageOnce(
        _ bytes: inout [UInt8], header: Int, using random: inout SplitMix64
    ) {
        guard header > 0 else { return }
        let hostile: [UInt64] = [
            .max, 1 << 63, 1 << 62, 1 << 60, 1 << 32, 1 << 31, 0, 1, UInt64(bytes.count),
        ]
        let at = Int.random(in: 0..<header, using: &random)
        let end = Int.random(in: at..<min(header, at + 40), using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: bytes.removeSubrange(at...)
        case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2, 3:
            let word = hostile.randomElement(using: &random) ?? 0
            let value = (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
            let width = min([4, 8].randomElement(using: &random) ?? 8, bytes.count - at)
            bytes.replaceSubrange(at..<at + width, with: value.prefix(width))
        case 4: bytes.removeSubrange(at...end)
        case 5: bytes.insert(contentsOf: bytes[at...end], at: at)
        default:
            // Replaces a full number, so that the text around it stays well-formed.
            let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
            guard let start = bytes[at..<header].firstIndex(where: digits.contains) else { return }
            let stop = bytes[start..<header].firstIndex { !digits.contains($0) } ?? header
            let small = UInt64.random(in: 0..<100, using: &random)
            let number = String([hostile.randomElement(using: &random) ?? 0, small, small][at % 3])
            let sign = at % 7 == 0 ? "-" : ""
            bytes.replaceSubrange(start..<stop, with: Array((sign + number).utf8))
        }
    }
#endif
