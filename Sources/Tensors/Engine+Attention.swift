import CKernels

/// The heads of an attention block.
public struct AttentionHeads: Sendable, Equatable {
    /// Query heads.
    public let query: Int
    /// Key and value heads; divides `query`.
    public let keyValue: Int
    /// Width of one head.
    public let dimension: Int

    /// Creates a description of heads.
    public init(query: Int, keyValue: Int, dimension: Int) {
        self.query = query
        self.keyValue = keyValue
        self.dimension = dimension
    }

    /// Columns of the fused projection: queries, then keys, then values.
    public var fusedWidth: Int { (query + 2 * keyValue) * dimension }
    /// Columns of the context that the output projection reads.
    public var contextWidth: Int { query * dimension }
}

/// Memory that attention works in, kept between calls.
public struct AttentionScratch: Sendable {
    fileprivate var packed: [Float] = []
    fileprivate var scores: [Float] = []

    /// Creates empty scratch memory, which grows with the first call.
    public init() {}
}

/// Where one sequence's queries, keys and values lie during a call.
private struct Segment {
    let firstRow: Int
    let queries: Int
    let keys: UnsafePointer<Float>
    let values: UnsafePointer<Float>
    let stride: Int
    let keyCount: Int
    /// Causal: query `i` sees keys up to `offset + i`; nil when it sees all.
    let offset: Int?
}

extension Engine {
    /// Attends within sequences that lie one after another in the rows of a fused projection.
    ///
    /// - Parameters:
    ///   - fused: Shape `[tokens, heads.fusedWidth]`: queries, keys, values.
    ///   - heads: The heads in it.
    ///   - sequences: The rows of each sequence; no sequence sees another, so padding is not needed.
    ///   - causal: Whether a token sees only itself and what is before it.
    ///   - context: Shape `[tokens, heads.contextWidth]`, the result.
    ///   - scratch: Working memory.
    public func attend(
        _ fused: Activations, heads: AttentionHeads, sequences: [Range<Int>], causal: Bool,
        into context: inout Activations, scratch: inout AttentionScratch
    ) {
        precondition(fused.columns == heads.fusedWidth, "attention input width")
        let width = heads.fusedWidth
        fused.storage.withUnsafeBufferPointer { source in
            let keys = source.baseAddress! + heads.contextWidth
            let segments = sequences.map { rows in
                Segment(
                    firstRow: rows.lowerBound, queries: rows.count,
                    keys: keys + rows.lowerBound * width,
                    values: keys + rows.lowerBound * width + heads.keyValue * heads.dimension,
                    stride: width, keyCount: rows.count, offset: causal ? 0 : nil)
            }
            attend(
                queries: source.baseAddress!, width: width, segments, heads: heads,
                into: &context, scratch: &scratch)
        }
    }

    /// Attends from the last tokens of some sequences to everything in their caches.
    ///
    /// - Parameters:
    ///   - fused: Shape `[sequences · tokens, heads.fusedWidth]`; only the queries are read.
    ///   - heads: The heads in it.
    ///   - keys: Shape `[sequences · capacity, keyValue · dimension]`.
    ///   - values: The same shape.
    ///   - sequences: How many sequences there are, all equally long.
    ///   - count: Rows of each sequence's cache in use, the new tokens included.
    ///   - context: Shape `[sequences · tokens, heads.contextWidth]`, the result.
    ///   - scratch: Working memory.
    public func attend(
        _ fused: Activations, heads: AttentionHeads, keys: Matrix<Float>, values: Matrix<Float>,
        sequences: Int, count: Int, into context: inout Activations,
        scratch: inout AttentionScratch
    ) {
        let (capacity, tokens) = (keys.rows / sequences, fused.rows / sequences)
        precondition(fused.columns == heads.fusedWidth, "attention input width")
        precondition(count <= capacity && tokens <= count, "attention cache rows")
        let width = heads.keyValue * heads.dimension
        fused.storage.withUnsafeBufferPointer { source in
            keys.elements.withUnsafeBufferPointer { keys in
                values.elements.withUnsafeBufferPointer { values in
                    let segments = (0..<sequences).map { sequence in
                        Segment(
                            firstRow: sequence * tokens, queries: tokens,
                            keys: keys.baseAddress! + sequence * capacity * width,
                            values: values.baseAddress! + sequence * capacity * width,
                            stride: width, keyCount: count, offset: count - tokens)
                    }
                    attend(
                        queries: source.baseAddress!, width: heads.fusedWidth, segments,
                        heads: heads, into: &context, scratch: &scratch)
                }
            }
        }
    }

    private func attend(
        queries: UnsafePointer<Float>, width: Int, _ segments: [Segment], heads: AttentionHeads,
        into context: inout Activations, scratch: inout AttentionScratch
    ) {
        precondition(context.columns == heads.contextWidth, "attention output width")
        let dimension = heads.dimension
        let group = heads.query / heads.keyValue
        let scale = 1 / Float(dimension).squareRoot()
        let longest = segments.map(\.keyCount).max() ?? 0
        let panel = PackedWeights.panel
        let paddedKeys = (longest + panel - 1) / panel * panel
        let paddedWidth = (dimension + panel - 1) / panel * panel
        let queryBlock = 48
        let single = segments.allSatisfy { $0.queries == 1 }
        let packedHead = single ? 0 : paddedKeys * dimension + longest * paddedWidth
        let scoreCount = single ? paddedKeys : 12 * min(paddedKeys, Int(ck_key_block))
        scratch.packed.grow(to: packedHead * segments.count * heads.keyValue)
        scratch.scores.grow(to: scoreCount * pool.threads)

        scratch.packed.withUnsafeMutableBufferPointer { packed in
            scratch.scores.withUnsafeMutableBufferPointer { scores in
                context.storage.withUnsafeMutableBufferPointer { target in
                    let (packed, scores, out) = (packed.baseAddress, scores.baseAddress!, target)
                    let outWidth = heads.contextWidth
                    if single {
                        pool.forEach(segments.count * heads.query) { index, thread in
                            let (segment, head) = (
                                segments[index / heads.query], index % heads.query
                            )
                            let shared = head / group * dimension
                            kernels.attend_one_f32(
                                queries + segment.firstRow * width + head * dimension, dimension,
                                segment.keys + shared, segment.values + shared, segment.stride,
                                segment.keyCount, scale, scores + thread * scoreCount,
                                out.baseAddress! + segment.firstRow * outWidth + head * dimension)
                        }
                        return
                    }
                    pool.forEach(segments.count * heads.keyValue) { index, _ in
                        let segment = segments[index / heads.keyValue]
                        let shared = index % heads.keyValue * dimension
                        let keys = packed! + index * packedHead
                        kernels.pack_rows_f32(
                            segment.keys + shared, segment.stride, segment.keyCount, dimension,
                            keys)
                        kernels.pack_columns_f32(
                            segment.values + shared, segment.stride, segment.keyCount, dimension,
                            keys + paddedKeys * dimension)
                    }
                    let blocks = segments.map { ($0.queries + queryBlock - 1) / queryBlock }
                    let most = blocks.max() ?? 0
                    pool.forEach(segments.count * heads.query * most) { index, thread in
                        let (head, rest) = (index % heads.query, index / heads.query)
                        let (block, place) = (most - 1 - rest % most, rest / most)
                        let segment = segments[place]
                        let first = block * queryBlock
                        guard first < segment.queries else { return }
                        let keys = packed! + (place * heads.keyValue + head / group) * packedHead
                        let row = segment.firstRow + first
                        kernels.attend_f32(
                            queries + row * width + head * dimension, width,
                            min(queryBlock, segment.queries - first), dimension, keys,
                            keys + paddedKeys * dimension, segment.keyCount,
                            segment.offset.map { $0 + first } ?? Int.max, scale,
                            scores + thread * scoreCount,
                            out.baseAddress! + row * outWidth + head * dimension, outWidth)
                    }
                }
            }
        }
    }
}

extension [Float] {
    fileprivate mutating func grow(to count: Int) {
        if self.count < count { self = [Float](repeating: 0, count: count) }
    }
}
