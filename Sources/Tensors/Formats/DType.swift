/// The storage type of a tensor: plain numbers, or GGML's blocks of quantised numbers.
public enum DType: String, Sendable, Hashable, CaseIterable {
    /// IEEE double.
    case f64
    /// IEEE single.
    case f32
    /// IEEE half.
    case f16
    /// The upper half of an IEEE single.
    case bf16
    /// Signed byte.
    case i8
    /// Signed 16-bit integer.
    case i16
    /// Signed 32-bit integer.
    case i32
    /// Signed 64-bit integer.
    case i64
    /// Unsigned byte.
    case u8
    /// Unsigned 16-bit integer.
    case u16
    /// Unsigned 32-bit integer.
    case u32
    /// Unsigned 64-bit integer.
    case u64
    /// A byte that is 0 or 1.
    case bool
    /// 4 bits and a scale.
    case q40 = "q4_0"
    /// 4 bits, a scale and a minimum.
    case q41 = "q4_1"
    /// 5 bits and a scale.
    case q50 = "q5_0"
    /// 5 bits, a scale and a minimum.
    case q51 = "q5_1"
    /// 8 bits and a scale.
    case q80 = "q8_0"
    /// 2 bits, a scale and a minimum for each group of 16.
    case q2K = "q2_k"
    /// 3 bits, a scale for each group of 16.
    case q3K = "q3_k"
    /// 4 bits, a scale and a minimum for each group of 32.
    case q4K = "q4_k"
    /// 5 bits, a scale and a minimum for each group of 32.
    case q5K = "q5_k"
    /// 6 bits, a scale for each group of 16.
    case q6K = "q6_k"

    /// The number of values in one block; 1 for plain numbers.
    public var blockSize: Int {
        switch self {
        case .f64, .f32, .f16, .bf16, .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool: 1
        case .q40, .q41, .q50, .q51, .q80: 32
        case .q2K, .q3K, .q4K, .q5K, .q6K: 256
        }
    }

    /// The number of bytes of one block.
    public var bytesPerBlock: Int {
        switch self {
        case .i8, .u8, .bool: 1
        case .f16, .bf16, .i16, .u16: 2
        case .f32, .i32, .u32: 4
        case .f64, .i64, .u64: 8
        case .q40: 18
        case .q41: 20
        case .q50: 22
        case .q51: 24
        case .q80: 34
        case .q2K: 84
        case .q3K: 110
        case .q4K: 144
        case .q5K: 176
        case .q6K: 210
        }
    }

    /// Whether numbers of this type convert to `Float`; integers and booleans do not.
    public var isFloat: Bool {
        switch self {
        case .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool: false
        default: true
        }
    }

    /// The number of bytes of `count` values; nil if the values do not fill whole blocks, or if the
    /// result overflows an `Int`.
    public func byteCount(of count: Int) -> Int? {
        guard count >= 0, count % blockSize == 0 else { return nil }
        let (bytes, overflow) = (count / blockSize).multipliedReportingOverflow(by: bytesPerBlock)
        return overflow ? nil : bytes
    }
}
