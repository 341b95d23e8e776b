import CKernels

/// Finds the first float that is NaN, infinite, or above a limit in magnitude.
///
/// - Parameters:
///   - values: The floats.
///   - limit: The largest magnitude that is accepted.
/// - Returns: The position of that float, counted from 0, and its value; nil if every float is
///   finite and within the limit.
public func firstOutside(
    _ values: some Collection<Float>, limit: Float = .greatestFiniteMagnitude
) -> (position: Int, value: Float)? {
    func search(_ values: UnsafeBufferPointer<Float>) -> (position: Int, value: Float)? {
        guard let start = values.baseAddress else { return nil }
        let position = ck_first_outside(start, values.count, limit)
        return position < values.count ? (position, values[position]) : nil
    }
    return values.withContiguousStorageIfAvailable(search)
        ?? Array(values).withUnsafeBufferPointer(search)
}

extension DType {
    /// The largest finite magnitude of `f16`, `bf16`, `q80` and `q40`; nil for other types.
    public var maximumMagnitude: Float? {
        switch self {
        case .f16: Self.maximumHalf
        case .bf16: Float(bitPattern: 0x7f7f_0000)
        case .q80: 127 * Self.maximumHalf
        case .q40: 8 * Self.maximumHalf
        default: nil
        }
    }

    private static let maximumHalf: Float = 65504
}
