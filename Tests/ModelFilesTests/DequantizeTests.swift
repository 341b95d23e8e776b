import ModelFiles
import Tensors
import TestSupport
import Testing

@Suite("Dequantize") struct DequantizeTests {
    @Test(
        "dequantised values agree in every bit with the Python package gguf",
        arguments: [
            "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "f16",
            "bf16",
        ])
    func agreesWithGGUF(type: String) throws {
        let file = try GGUFFile(path: fixture("quantized.gguf"))
        #expect(file.type(of: type) == DType(rawValue: type))
        let got = try file.storedFloats(type)
        let want = try file.storedFloats("expected.\(type)")
        #expect(!want.isEmpty)
        #expect(got.map(\.bitPattern) == want.map(\.bitPattern))
    }

    @Test(
        "converted floats agree in every bit with numpy and torch",
        arguments: ["f16", "bf16", "f64"])
    func agreesWithTorch(type: String) throws {
        let file = try SafetensorsFile(path: fixture("floats.safetensors"))
        let want = try file.storedFloats("expected.\(type)")
        #expect(try file.storedFloats(type).map(\.bitPattern) == want.map(\.bitPattern))
    }

    @Test("narrowed floats are rounded as in numpy and torch", arguments: [DType.f16, .bf16])
    func narrows(type: DType) throws {
        let file = try SafetensorsFile(path: fixture("floats.safetensors"))
        let got = floats(of: bytes(of: try file.storedFloats("f32"), as: type), as: type)
        let want = try file.storedFloats("expected.\(type)")
        #expect(got.map(\.bitPattern) == want.map(\.bitPattern))
    }

    @Test("quantised blocks agree with the Python package gguf", arguments: [DType.q80, .q40])
    func quantises(type: DType) throws {
        let file = try GGUFFile(path: fixture("rounded.gguf"))
        let source = try file.storedFloats("source")
        let got = floats(of: bytes(of: source, as: type), as: type)
        #expect(got.map(\.bitPattern) == (try file.storedFloats(type.rawValue)).map(\.bitPattern))
    }

    @Test("every f16 is read with the value of its definition, and written with the same bits")
    func everyHalf() {
        let stored = (0...UInt16.max).flatMap(littleEndian)
        let floats = floats(of: stored, as: .f16)
        var wrong = 0
        for (bits, float) in floats.enumerated() {
            let (exponent, fraction) = (bits >> 10 & 31, Double(bits & 1023) / 1024)
            let magnitude =
                switch exponent {
                case 0: fraction * 0x1p-14
                case 31: fraction == 0 ? Double.infinity : .nan
                default:
                    (1 + fraction) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
                }
            let want = Float(bits >> 15 == 1 ? -magnitude : magnitude)
            if want.isNaN ? !float.isNaN : want.bitPattern != float.bitPattern { wrong += 1 }
        }
        #expect(wrong == 0)
        let again = self.floats(of: bytes(of: floats, as: .f16), as: .f16)
        #expect(zip(floats, again).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN })
    }

    @Test("narrowing keeps NaN and infinity", arguments: [DType.f32, .f16, .bf16])
    func special(type: DType) {
        let values: [Float] = [.nan, .infinity, -.infinity, Float(bitPattern: 0x7F80_0001), -0.0]
        let got = floats(of: bytes(of: values, as: type), as: type)
        #expect(got[0].isNaN && got[3].isNaN)
        #expect(got[1] == .infinity && got[2] == -.infinity && got[4].sign == .minus)
    }

    @Test("stored values need no alignment", arguments: [DType.q41, .q80, .q6K, .f16, .f64, .f32])
    func unaligned(type: DType) {
        let blocks = (0..<type.bytesPerBlock).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        let shifted: [UInt8] = [0] + blocks
        let span = shifted.span.bytes
        let got = type.floats(from: span.extracting(1..<shifted.count))
        #expect(got.map(\.bitPattern) == floats(of: blocks, as: type).map(\.bitPattern))
        #expect(got.count == type.blockSize)
    }

    @Test("the number of bytes is known only for whole blocks")
    func byteCounts() {
        #expect(DType.q41.byteCount(of: 64) == 40)
        #expect(DType.q41.byteCount(of: 65) == nil)
        #expect(DType.f32.byteCount(of: .max) == nil)
        #expect(DType.f32.byteCount(of: -1) == nil)
        #expect(DType.f32.byteCount(of: 0) == 0)
    }

    private func floats(of bytes: [UInt8], as type: DType) -> [Float] {
        type.floats(from: bytes.span.bytes)
    }

    private func bytes(of floats: [Float], as type: DType) -> [UInt8] {
        type.bytes(from: floats.span)
    }
}
