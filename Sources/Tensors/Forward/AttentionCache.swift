internal import CKernels

/// The keys and values of earlier tokens of an attention block, for sequences of equal length.
///
/// Keys and values of blocks that multiply integers have 8 bits, with a scale for each key and each
/// value of a head. A decode step then reads a quarter of the bytes. Other blocks have floats.
public struct AttentionCache: Sendable {
    /// The maximum number of tokens of each sequence.
    public let capacity: Int
    /// The number of sequences.
    public let sequences: Int
    /// The keys and values if they are floats.
    var floats: FloatRows?
    /// The keys and values if they have 8 bits.
    var bytes: ByteRows?

    /// Keys and values as floats, each `[sequences · keyValueHeads · capacity, headDimension]`.
    ///
    /// The rows that one head reads are contiguous.
    struct FloatRows {
        var keys, values: Matrix<Float>
    }

    /// Keys and values in the order of `ck_cached_head`, for one sequence and head after another.
    struct ByteRows {
        /// The codes of the keys of a head, then the codes of its values.
        ///
        /// The pieces are aligned to cache lines.
        var codes: [SIMD64<Int8>]
        /// The scales of the keys of a head, then the scales of its values.
        var scales: [Float]
        /// The number of places of a head: the capacity, rounded up to a panel.
        let places: Int
        /// The number of bytes of a key and of a value.
        let keyBytes, valueBytes: Int

        /// Creates empty rows for a number of heads.
        init(heads: Int, places: Int, width: Int) {
            self.places = places
            keyBytes = (width + 1) / 2 * 2
            valueBytes = (width + 15) / 16 * 16
            let bytes = heads * places * (keyBytes + valueBytes)
            codes = Array(repeating: SIMD64(), count: bytes / 64)
            scales = Array(repeating: 0, count: heads * 2 * places)
        }

        /// Returns the addresses of a head in the codes and scales.
        func head(
            _ index: Int, codes: UnsafePointer<SIMD64<Int8>>, scales: UnsafePointer<Float>
        ) -> ck_cached_head {
            let keys =
                UnsafeRawPointer(codes).assumingMemoryBound(to: Int8.self)
                + index * places * (keyBytes + valueBytes)
            let scales = scales + index * 2 * places
            return ck_cached_head(
                keys: keys, values: keys + places * keyBytes, key_scales: scales,
                value_scales: scales + places)
        }
    }

    /// Creates an empty cache.
    ///
    /// - Parameters:
    ///   - heads: The heads of the block.
    ///   - capacity: The maximum number of tokens of each sequence.
    ///   - sequences: The number of sequences.
    ///   - precision: The precision of the block's products.
    public init(heads: AttentionHeads, capacity: Int, sequences: Int, precision: Precision) {
        self.capacity = capacity
        self.sequences = sequences
        let count = sequences * heads.keyValue
        guard heads.roundsCache(for: precision) else {
            let rows = Matrix<Float>(rows: count * capacity, columns: heads.dimension)
            floats = FloatRows(keys: rows, values: rows)
            return
        }
        bytes = ByteRows(
            heads: count, places: PackedWeights.padded(capacity), width: heads.dimension)
    }

    /// Returns the number of bytes of the keys and values of a token.
    public static func bytes(of heads: AttentionHeads, precision: Precision) -> Int {
        let width = heads.dimension
        let row = heads.roundsCache(for: precision) ? width + 4 : 4 * width
        return 2 * heads.keyValue * row
    }

    /// Fills the cache with random keys and values, for timing.
    public mutating func fillRandomly(seed: UInt64) {
        if let rows = floats?.keys {
            let (count, columns) = (rows.rows, rows.columns)
            floats = FloatRows(
                keys: Matrix(randomRows: count, columns: columns, seed: seed),
                values: Matrix(randomRows: count, columns: columns, seed: seed &+ 1))
        }
        guard bytes != nil else { return }
        var random = SplitMix64(seed: seed)
        for index in bytes!.codes.indices {
            for lane in 0..<64 {
                bytes!.codes[index][lane] = Int8.random(in: -127...127, using: &random)
            }
        }
        for index in bytes!.scales.indices { bytes!.scales[index] = 1 / 127 }
    }
}

extension AttentionHeads {
    /// Whether cached keys and values have 8 bits.
    func roundsCache(for precision: Precision) -> Bool {
        precision.isInteger && dimension <= Int(ck_widest_cached)
    }
}
