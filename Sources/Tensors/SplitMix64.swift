/// A seeded random generator, with which every random choice can be repeated.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Creates a generator; equal seeds give equal sequences.
    public init(seed: UInt64) {
        state = seed
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}

extension Matrix<Float> {
    /// A matrix of uniform random values of standard deviation `1 / sqrt(columns)`.
    ///
    /// The expected magnitude of a product with the matrix is the magnitude of its input.
    public init(randomRows rows: Int, columns: Int, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let scale = (3 / Float(max(columns, 1))).squareRoot() / Float(1 << 23)
        self.init(
            rows: rows, columns: columns,
            elements: [Float](unsafeUninitializedCapacity: rows * columns) { buffer, count in
                count = rows * columns
                for index in 0..<count {
                    buffer[index] = (Float(random.next() >> 40) - Float(1 << 23)) * scale
                }
            })
    }
}
