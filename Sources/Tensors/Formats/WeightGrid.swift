import CKernels

/// The values that a weight is rounded to: `(code − zero) · scale`.
///
/// The codes are consecutive integers. Consecutive columns of a row share a scale.
public struct WeightGrid: Sendable, Hashable {
    /// The codes of the lowest and of the highest value, if the scale is positive.
    public let codes: ClosedRange<UInt8>
    /// The code of the value 0.
    public let zero: UInt8
    /// The number of consecutive columns with one scale; nil if a row has one scale.
    public let group: Int?
    /// The type in which scales are stored.
    public let scaleType: DType
    /// The scales that are tried for a group, relative to the scale for which the largest magnitude
    /// of the group is a value.
    private let shares: [Double]

    /// 4 bits, with an f16 scale for each 32 columns: the values of `q4_0`.
    ///
    /// Of the 16 codes 8 are negative and 7 are positive. A scale may be negative.
    public static let q40 = WeightGrid(
        codes: 0...15, zero: 8, group: 32, scaleType: .f16,
        shares: (0..<20).map { 1.05 - 0.025 * Double($0) })

    /// 8 bits, with an f16 scale for each 32 columns: the values of `q8_0`.
    public static let q80 = WeightGrid(
        codes: 1...255, zero: 128, group: 32, scaleType: .f16, shares: [1])

    /// 8 bits, with an f32 scale for each row: the values of ``Precision/int8``.
    public static let int8 = WeightGrid(
        codes: 1...255, zero: 128, group: nil, scaleType: .f32, shares: [1])

    /// The grid of a stored type; nil for other types than `q40` and `q80`.
    public init?(storedAs type: DType) {
        switch type {
        case .q40: self = .q40
        case .q80: self = .q80
        default: return nil
        }
    }

    private init(
        codes: ClosedRange<UInt8>, zero: UInt8, group: Int?, scaleType: DType, shares: [Double]
    ) {
        self.codes = codes
        self.zero = zero
        self.group = group
        self.scaleType = scaleType
        self.shares = shares
    }

    /// The largest magnitude that a value can have.
    public var maximumMagnitude: Float {
        let scale = scaleType.maximumMagnitude ?? .greatestFiniteMagnitude / 128
        return Float(zero - codes.lowerBound) * scale
    }

    /// The number of scales of a row.
    public func groups(ofColumns columns: Int) -> Int {
        group.map { (columns + $0 - 1) / $0 } ?? 1
    }

    /// The code whose value is nearest to a number.
    ///
    /// - Parameters:
    ///   - number: The number.
    ///   - scale: The scale of its group; with the scale 0, all values are 0.
    /// - Returns: The code.
    @inlinable
    public func code(of number: Double, scale: Float) -> UInt8 {
        guard scale != 0 else { return zero }
        return UInt8(steps(number / Double(scale)) + Double(zero))
    }

    /// The value of a code.
    @inlinable
    public func value(of code: UInt8, scale: Float) -> Float {
        Float(Int(code) - Int(zero)) * scale
    }

    /// The nearest number of steps from zero that has a code; ties go to even.
    @inlinable
    func steps(_ number: Double) -> Double {
        let low = Double(codes.lowerBound) - Double(zero)
        let high = Double(codes.upperBound) - Double(zero)
        // Adding 1.5 · 2⁵² rounds to the nearest integer.
        let round = 6_755_399_441_055_744.0
        return (max(low, min(high, number)) + round) - round
    }

    /// The scales of groups, chosen by the least weighted squared error of their nearest values.
    ///
    /// - Parameters:
    ///   - groups: Each row is one group.
    ///   - weights: The weight of the squared error of each column.
    /// - Returns: A scale for each row, as it is stored.
    public func scales(of groups: Matrix<Double>, weights: [Double]) -> [Float] {
        let low = Double(codes.lowerBound) - Double(zero)
        let isSymmetric = codes.upperBound - zero == zero - codes.lowerBound
        var candidates: [Float] = []
        candidates.reserveCapacity(groups.rows * shares.count)
        for row in 0..<groups.rows {
            var extreme = groups.row(row).reduce(0) { abs($1) > abs($0) ? $1 : $0 }
            if isSymmetric { extreme = -abs(extreme) }
            let scale = extreme / low
            for share in shares {
                let limit = Double(maximumMagnitude) / -low
                candidates.append(Float(max(-limit, min(limit, scale * share))))
            }
        }
        candidates = stored(candidates)
        return (0..<groups.rows).map { row in
            let values = groups.row(row)
            var best = (scale: Float(0), error: Double.infinity)
            for scale in candidates[row * shares.count..<(row + 1) * shares.count] {
                let error = error(of: values, weights: weights, scale: Double(scale))
                if error < best.error { best = (scale, error) }
            }
            return best.scale
        }
    }

    private func error(
        of values: ArraySlice<Double>, weights: [Double], scale: Double
    ) -> Double {
        let inverse = scale == 0 ? 0 : 1 / scale
        var sum = 0.0
        for (value, weight) in zip(values, weights) {
            let rest = value - steps(value * inverse) * scale
            sum += weight * (rest * rest)
        }
        return sum
    }

    /// Scales rounded to the type in which they are stored.
    private func stored(_ scales: [Float]) -> [Float] {
        scaleType == .f32
            ? scales : scaleType.floats(from: scaleType.bytes(from: scales.span).span.bytes)
    }
}
