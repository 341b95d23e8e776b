import CKernels

extension DType {
    /// Converts the bytes of whole blocks of this type to floats.
    ///
    /// Values of f64 are rounded to nearest. For quantised types, every bit of the result agrees
    /// with the result of the Python package `gguf`.
    ///
    /// - Precondition: `isFloat`, and `bytes` consists of whole blocks.
    public func floats(from bytes: RawSpan) -> [Float] {
        let blocks = bytes.byteCount / bytesPerBlock
        precondition(blocks * bytesPerBlock == bytes.byteCount, "the bytes must fill whole blocks")
        let expand = expansion
        let count = blocks * blockSize
        return bytes.withUnsafeBytes { source in
            [Float](unsafeUninitializedCapacity: count) { target, initialized in
                if let out = target.baseAddress, let from = source.baseAddress {
                    expand(out, from, blocks)
                    initialized = count
                }
            }
        }
    }

    /// Converts floats to this type, and returns the bytes.
    ///
    /// Values of `f16` and `bf16` are rounded to nearest, with ties to even. Values of `q80` and
    /// `q40` are rounded like in the reference code of llama.cpp.
    ///
    /// - Precondition: The type is `f32`, `f16`, `bf16`, `i8`, `u8`, `q80` or `q40`. The floats fill
    ///   whole blocks. Floats for `i8` are integers in the range of `i8`.
    public func bytes(from floats: Span<Float>) -> [UInt8] {
        precondition(floats.count % blockSize == 0, "the floats must fill whole blocks")
        let blocks = floats.count / blockSize
        let count = blocks * bytesPerBlock
        if self == .u8 { return floats.indices.map { UInt8(floats[$0]) } }
        if self == .i8 {
            return floats.indices.map { UInt8(bitPattern: Int8(floats[$0])) }
        }
        return floats.withUnsafeBufferPointer { source in
            [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
                guard let out = target.baseAddress, let from = source.baseAddress else { return }
                switch self {
                case .f32: ck_narrow_f32(out, from, source.count)
                case .f16: ck_narrow_f16(out, from, source.count)
                case .bf16: ck_narrow_bf16(out, from, source.count)
                case .q80: ck_quantize_q8_0(out, from, blocks)
                case .q40: ck_quantize_q4_0(out, from, blocks)
                default: preconditionFailure("floats cannot be converted to \(rawValue)")
                }
                initialized = count
            }
        }
    }

    /// The kernel that expands blocks of this type.
    private var expansion: (UnsafeMutablePointer<Float>, UnsafeRawPointer, Int) -> Void {
        switch self {
        case .f64: ck_dequantize_f64
        case .f32: ck_dequantize_f32
        case .f16: ck_dequantize_f16
        case .bf16: ck_dequantize_bf16
        case .q40: ck_dequantize_q4_0
        case .q41: ck_dequantize_q4_1
        case .q50: ck_dequantize_q5_0
        case .q51: ck_dequantize_q5_1
        case .q80: ck_dequantize_q8_0
        case .q2K: ck_dequantize_q2_k
        case .q3K: ck_dequantize_q3_k
        case .q4K: ck_dequantize_q4_k
        case .q5K: ck_dequantize_q5_k
        case .q6K: ck_dequantize_q6_k
        case .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool:
            preconditionFailure("values of type \(rawValue) cannot be converted to floats")
        }
    }
}
