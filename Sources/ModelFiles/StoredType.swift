public import Tensors

/// The type in which a tensor is stored; not every type can be read.
public struct StoredType: Sendable, Hashable {
    /// The type's name, such as `f16` or `iq4_nl`.
    public let name: String
    /// The type in which the numbers are read; nil if they cannot be read.
    public let numbers: DType?
    /// The number of values in one block; 1 for types without blocks.
    let blockSize: Int
    /// The number of bytes in one block.
    let bytesPerBlock: Int

    /// Creates a type that can be read.
    init(_ type: DType) {
        name = type.rawValue
        numbers = type
        blockSize = type.blockSize
        bytesPerBlock = type.bytesPerBlock
    }

    /// Creates a type of which only the name and the size are known.
    private init(_ name: String, _ blockSize: Int, _ bytesPerBlock: Int) {
        self.name = name
        numbers = nil
        self.blockSize = blockSize
        self.bytesPerBlock = bytesPerBlock
    }

    /// Returns the number of bytes of `count` values.
    ///
    /// The result is nil if the values do not fill complete blocks, or if it overflows an `Int`.
    func byteCount(of count: Int) -> Int? {
        guard count >= 0, count % blockSize == 0 else { return nil }
        let (bytes, overflow) = (count / blockSize).multipliedReportingOverflow(by: bytesPerBlock)
        return overflow ? nil : bytes
    }
}

extension StoredType {
    /// The type with a code of GGML's `ggml_type`; nil if it is unknown.
    init?(ggml code: UInt32) {
        if let type = DType(ggml: code) {
            self.init(type)
        } else if let type = Self.ggmlOnly[code] {
            self = type
        } else {
            return nil
        }
    }

    private static let ggmlOnly: [UInt32: StoredType] = [
        9: StoredType("q8_1", 32, 40), 15: StoredType("q8_k", 256, 292),
        16: StoredType("iq2_xxs", 256, 66), 17: StoredType("iq2_xs", 256, 74),
        18: StoredType("iq3_xxs", 256, 98), 19: StoredType("iq1_s", 256, 50),
        20: StoredType("iq4_nl", 32, 18), 21: StoredType("iq3_s", 256, 110),
        22: StoredType("iq2_s", 256, 82), 23: StoredType("iq4_xs", 256, 136),
        29: StoredType("iq1_m", 256, 56), 34: StoredType("tq1_0", 256, 54),
        35: StoredType("tq2_0", 256, 66), 39: StoredType("mxfp4", 32, 17),
        40: StoredType("nvfp4", 64, 36), 41: StoredType("q1_0", 128, 18),
    ]

    /// The types that GGML has removed, and their names.
    static let ggmlRetired: [UInt32: String] = [
        4: "q4_2", 5: "q4_3", 31: "q4_0_4_4", 32: "q4_0_4_8", 33: "q4_0_8_8",
        36: "iq4_nl_4_4", 37: "iq4_nl_4_8", 38: "iq4_nl_8_8",
    ]

    /// The type with a name from a safetensors header; nil if it is unknown.
    init?(safetensors name: String) {
        if let type = DType(safetensors: name) {
            self.init(type)
        } else if let type = Self.safetensorsOnly.first(where: { $0.name == name.lowercased() }) {
            self = type
        } else {
            return nil
        }
    }

    private static let safetensorsOnly = [
        StoredType("f8_e4m3", 1, 1), StoredType("f8_e5m2", 1, 1), StoredType("f8_e8m0", 1, 1),
        StoredType("f8_e4m3fnuz", 1, 1), StoredType("f8_e5m2fnuz", 1, 1),
        StoredType("f6_e2m3", 4, 3), StoredType("f6_e3m2", 4, 3), StoredType("f4", 2, 1),
        StoredType("c64", 1, 8),
    ]
}
