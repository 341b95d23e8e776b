import CKernels

/// The heads of an attention block.
public struct AttentionHeads: Sendable, Equatable {
    /// The number of query heads.
    public let query: Int
    /// The number of key and value heads; it divides `query`.
    public let keyValue: Int
    /// The width of one head.
    public let dimension: Int
    /// The factor of the products of queries and keys.
    public let scale: Float
    /// The number of keys that a query of a causal model attends to: the query's own key and the
    /// keys before it.
    ///
    /// Nil means all keys up to the query's own.
    public var window: Int?
    /// The soft cap c: each score s becomes `c · tanh(s / c)`.
    ///
    /// Nil means no soft cap.
    public var cap: Float?
    /// The row of ``ScoreBiases`` of each query head; nil if they are the first rows.
    public var biasRows: [Int]?

    /// Creates a description of heads.
    ///
    /// By default, the scale is 1 divided by the square root of the dimension.
    public init(query: Int, keyValue: Int, dimension: Int, scale: Float? = nil) {
        self.query = query
        self.keyValue = keyValue
        self.dimension = dimension
        self.scale = scale ?? 1 / Float(dimension).squareRoot()
    }

    /// The number of columns of the fused projection: queries, then keys, then values.
    public var fusedWidth: Int { (query + 2 * keyValue) * dimension }
    /// The number of columns of the context that the output projection reads.
    public var contextWidth: Int { query * dimension }
}

/// Working memory of attention, kept between calls.
public struct AttentionScratch: Sendable {
    /// Packed keys and values, then the scores of each thread.
    var memory: [Float] = []

    /// Creates empty scratch memory, which grows with the first call.
    public init() {}
}

/// The addresses of the queries, keys and values of one sequence.
struct Segment {
    let firstRow: Int
    let queries: Int
    let keys: UnsafePointer<Float>
    let values: UnsafePointer<Float>
    /// The number of floats from one key to the next, and from one head to the next.
    let stride, headStride: Int
    let keyCount: Int
    /// Query `i` attends to keys up to `offset + i`.
    ///
    /// Nil means that queries attend to all keys.
    let offset: Int?
}

/// The layout of a head's packed keys and values.
private struct PackedHead {
    /// The type of the packed keys and values.
    enum Elements {
        case f32
        /// 16-bit integers in pairs, with scales.
        case int16
        /// Pairs of bfloat16, for tile registers.
        case bf16
    }

    let elements: Elements
    let width: Int
    /// The offsets of the parts after the keys, and of the end, in floats.
    let keyScales, values, valueScales, end: Int
    /// The number of queries of one piece of work.
    ///
    /// Kernels process 12 or 32 queries at a time.
    let queryBlock: Int
    /// The number of floats for the scores of a piece of work.
    let scoreCount: Int

    /// Computes the offsets for a number of keys.
    init(keyCount: Int, width: Int, elements: Elements) {
        let padded = PackedWeights.padded
        func inputs(_ count: Int) -> Int { elements == .f32 ? count : (count + 1) / 2 }
        self.elements = elements
        self.width = width
        let scales = elements == .int16 ? 1 : 0
        keyScales = padded(keyCount) * inputs(width)
        values = keyScales + scales * padded(keyCount)
        valueScales =
            values + inputs(elements == .bf16 ? padded(keyCount) : keyCount) * padded(width)
        end = valueScales + scales * padded(width)
        let blockKeys = min(padded(keyCount), Int(ck_key_block))
        (queryBlock, scoreCount) =
            elements == .bf16
            ? (3 * Int(ck_attended_rows), Int(ck_attended_rows) * (blockKeys + 16))
            : (48, 12 * blockKeys)
    }

    /// Returns the type of packed keys and values for the precision of a block's products.
    static func elements(
        for precision: Precision, width: Int, with kernels: ck_kernels
    ) -> Elements {
        let isInteger = precision.isInteger
        if isInteger || precision == .bf16, kernels.attend_bf16 != nil, width % 32 == 0,
            width <= Int(ck_widest_bf16)
        {
            return .bf16
        }
        let hasIntegers = kernels.attend_int16 != nil && width <= Int(ck_widest_int16)
        return isInteger && hasIntegers ? .int16 : .f32
    }

    /// Packs a key and value head of a segment.
    func pack(
        _ segment: Segment, head index: Int, with kernels: ck_kernels,
        into head: UnsafeMutablePointer<Float>
    ) {
        let keys = segment.keys + index * segment.headStride
        let values = segment.values + index * segment.headStride
        let (ld, count) = (segment.stride, segment.keyCount)
        switch elements {
        case .int16:
            kernels.pack_keys_int16!(keys, ld, count, width, head, head + keyScales)
            kernels.pack_values_int16!(
                values, ld, count, width, head + self.values, head + valueScales)
        case .bf16:
            kernels.formats.bf16.packRows(
                keys, stride: ld, rows: count, columns: width, into: head)
            kernels.pack_values_bf16!(values, ld, count, width, head + self.values)
        case .f32:
            kernels.formats.f32.packRows(
                keys, stride: ld, rows: count, columns: width, into: head)
            kernels.formats.f32.packColumns(
                of: values, stride: ld, rows: count, columns: width, into: head + self.values)
        }
    }

    /// Computes the context of `count` queries of a segment, from query `first` on.
    func attend(
        _ queries: UnsafePointer<Float>, stride: Int, first: Int, count: Int, _ segment: Segment,
        scale: Float, rule: UnsafePointer<ck_scores>?, with kernels: ck_kernels,
        head: UnsafePointer<Float>, scores: UnsafeMutablePointer<Float>,
        into out: UnsafeMutablePointer<Float>, outStride: Int
    ) {
        let offset = segment.offset.map { $0 + first } ?? Int.max
        switch elements {
        case .int16:
            kernels.attend_int16!(
                queries, stride, count, width, head, head + keyScales, head + values,
                head + valueScales, segment.keyCount, offset, scale, rule, scores, out, outStride)
        case .bf16:
            kernels.attend_bf16!(
                queries, stride, count, width, head, head + values, segment.keyCount, offset,
                scale, rule, scores, out, outStride)
        case .f32:
            kernels.attend_f32(
                queries, stride, count, width, head, head + values, segment.keyCount, offset,
                scale, rule, scores, out, outStride)
        }
    }
}

extension Engine {
    /// Computes attention within sequences, whose rows are stored one after another in `fused`.
    ///
    /// - Parameters:
    ///   - fused: Shape `[tokens, heads.fusedWidth]`: queries, keys, values.
    ///   - heads: The heads of `fused`.
    ///   - sequences: The rows of each sequence. No sequence attends to another, so padding is not
    ///     needed.
    ///   - causal: Whether a token attends only to itself and to earlier tokens.
    ///   - biases: The terms of scores; nil if nothing is added.
    ///   - precision: The precision of the block's products. Except with `f32` and `f16`,
    ///     attention multiplies bfloat16 if the processor has tile registers for them. Otherwise,
    ///     with `int8` and `int4`, it multiplies 16-bit integers if the processor has instructions
    ///     for them.
    ///   - context: Shape `[tokens, heads.contextWidth]`, the result.
    ///   - scratch: Working memory.
    public func attend(
        _ fused: Activations, heads: AttentionHeads, sequences: [Range<Int>], causal: Bool,
        biases: ScoreBiases? = nil, precision: Precision = .f32, into context: inout Activations,
        scratch: inout AttentionScratch
    ) {
        precondition(fused.columns == heads.fusedWidth, "the input must have the fused width")
        let width = heads.fusedWidth
        withPointers(reading: fused.storage) { queries in
            let keys = queries + heads.contextWidth
            let segments = sequences.map { rows in
                Segment(
                    firstRow: rows.lowerBound, queries: rows.count,
                    keys: keys + rows.lowerBound * width,
                    values: keys + rows.lowerBound * width + heads.keyValue * heads.dimension,
                    stride: width, headStride: heads.dimension, keyCount: rows.count,
                    offset: causal ? 0 : nil)
            }
            attend(
                queries: queries, width: width, segments, heads: heads, biases: biases,
                precision: precision, into: &context, scratch: &scratch)
        }
    }

    /// Computes attention of the queries of segments.
    ///
    /// `width` is the number of floats from one query of a head to the next.
    func attend(
        queries: UnsafePointer<Float>, width: Int, _ segments: [Segment], heads: AttentionHeads,
        biases: ScoreBiases?, named: [Int]? = nil, precision: Precision,
        into context: inout Activations, scratch: inout AttentionScratch
    ) {
        precondition(
            context.columns == heads.contextWidth, "the output must have the context width")
        precondition(
            named?.allSatisfy { 0..<heads.query ~= $0 } ?? true
                && (named == nil || segments.allSatisfy { $0.queries == 1 }),
            "named heads must exist, and there must be one token of each sequence")
        let dimension = heads.dimension
        let group = heads.query / heads.keyValue
        let longest = segments.map(\.keyCount).max() ?? 0
        precondition(
            biases?.reach(longest, causal: segments.allSatisfy { $0.offset != nil }) ?? true,
            "distances past the terms of scores")
        if segments.allSatisfy({ $0.queries == 1 }) {
            return attendOne(
                queries: queries, width: width, segments, heads: heads, biases: biases,
                named: named, into: &context, scratch: &scratch)
        }
        let packing = PackedHead(
            keyCount: longest, width: dimension,
            elements: heads.cap == nil && biases == nil
                ? PackedHead.elements(for: precision, width: dimension, with: kernels) : .f32)
        let queryBlock = packing.queryBlock
        let scoreCount = packing.scoreCount
        let packedCount = packing.end * segments.count * heads.keyValue
        scratch.memory.grow(to: packedCount + scoreCount * pool.threads)
        let outWidth = heads.contextWidth

        let terms = biases?.terms.elements ?? []
        withPointers(
            writing: &context.storage, &scratch.memory, reading: terms
        ) { out, packed, terms in
            let scores = packed + packedCount
            pool.forEach(segments.count * heads.keyValue) { index, _ in
                packing.pack(
                    segments[index / heads.keyValue], head: index % heads.keyValue, with: kernels,
                    into: packed + index * packing.end)
            }
            let blocks = segments.map { ($0.queries + queryBlock - 1) / queryBlock }
            let most = blocks.max() ?? 0
            pool.forEach(segments.count * heads.query * most) { index, thread in
                let (head, rest) = (index % heads.query, index / heads.query)
                let (block, place) = (most - 1 - rest % most, rest / most)
                let segment = segments[place]
                let first = block * queryBlock
                guard first < segment.queries else { return }
                let row = segment.firstRow + first
                let position = (segment.offset ?? 0) + first
                heads.withRule(of: head, distance: -position, biases, at: terms) { rule in
                    packing.attend(
                        queries + row * width + head * dimension, stride: width, first: first,
                        count: min(queryBlock, segment.queries - first), segment,
                        scale: heads.scale, rule: rule, with: kernels,
                        head: packed + (place * heads.keyValue + head / group) * packing.end,
                        scores: scores + thread * scoreCount,
                        into: out + row * outWidth + head * dimension, outStride: outWidth)
                }
            }
        }
    }
}

extension [Float] {
    mutating func grow(to count: Int) {
        if self.count < count { self = [Float](repeating: 0, count: count) }
    }
}
