internal import CKernels

extension Engine {
    /// Adds the keys and values of new tokens to a cache.
    ///
    /// If the cache has 8 bits, the keys and values in `fused` are replaced by the values of their
    /// codes.
    ///
    /// - Parameters:
    ///   - fused: Shape `[sequences · tokens, heads.fusedWidth]`.
    ///   - heads: The heads of `fused`.
    ///   - cache: The cache.
    ///   - count: The number of tokens that the cache already contains.
    public func store(
        _ fused: inout Activations, heads: AttentionHeads, in cache: inout AttentionCache,
        after count: Int
    ) {
        let tokens = fused.rows / cache.sequences
        precondition(fused.columns == heads.fusedWidth, "the input must have the fused width")
        precondition(count + tokens <= cache.capacity, "the cache is too small")
        if cache.bytes != nil {
            return round(&fused, heads: heads, into: &cache.bytes!, tokens: tokens, after: count)
        }
        for place in 0..<cache.sequences * heads.keyValue {
            let (sequence, head) = place.quotientAndRemainder(dividingBy: heads.keyValue)
            let rows = sequence * tokens..<(sequence + 1) * tokens
            let firstRow = place * cache.capacity + count
            let key = heads.contextWidth + head * heads.dimension
            let value = key + heads.keyValue * heads.dimension
            copy(
                fused, rows: rows, columns: key..<key + heads.dimension,
                into: &cache.floats!.keys, firstRow: firstRow)
            copy(
                fused, rows: rows, columns: value..<value + heads.dimension,
                into: &cache.floats!.values, firstRow: firstRow)
        }
    }

    /// Rounds keys and values as a cache does, so that attention within sequences computes what
    /// decoding computes.
    ///
    /// - Parameters:
    ///   - fused: Shape `[tokens, heads.fusedWidth]`.
    ///   - heads: The heads of `fused`.
    ///   - precision: The precision of the block's products. Keys and values stay as they are if a
    ///     cache of this precision has floats.
    public func roundKeysAndValues(
        of fused: inout Activations, heads: AttentionHeads, precision: Precision
    ) {
        guard heads.roundsCache(for: precision) else { return }
        let (rows, width, dimension) = (fused.rows, heads.fusedWidth, heads.dimension)
        withPointers(writing: &fused.storage) { fused in
            splitRows(rows) { rows in
                for row in rows {
                    for head in 0..<2 * heads.keyValue {
                        _ = kernels.cache_int8(
                            fused + row * width + heads.contextWidth + head * dimension,
                            dimension, nil, 0, 0)
                    }
                }
            }
        }
    }

    private func round(
        _ fused: inout Activations, heads: AttentionHeads,
        into cache: inout AttentionCache.ByteRows, tokens: Int, after count: Int
    ) {
        let (rows, width, dimension) = (fused.rows, heads.fusedWidth, heads.dimension)
        let (places, keyBytes, valueBytes) = (cache.places, cache.keyBytes, cache.valueBytes)
        withPointers(writing: &cache.codes, &cache.scales) { codes, scales in
            let codes = UnsafeMutableRawPointer(codes).assumingMemoryBound(to: Int8.self)
            withPointers(writing: &fused.storage) { fused in
                splitRows(rows) { rows in
                    for row in rows {
                        let (sequence, token) = row.quotientAndRemainder(dividingBy: tokens)
                        let place = count + token
                        let inPanel = place % PackedWeights.panel
                        for head in 0..<heads.keyValue {
                            let index = sequence * heads.keyValue + head
                            let key =
                                fused + row * width + heads.contextWidth + head * dimension
                            let keys = codes + index * places * (keyBytes + valueBytes)
                            let own = scales + index * 2 * places + place
                            own[0] = kernels.cache_int8(
                                key, dimension, keys + (place - inPanel) * keyBytes + 2 * inPanel,
                                2 * PackedWeights.panel, 1)
                            own[places] = kernels.cache_int8(
                                key + heads.keyValue * dimension, dimension,
                                keys + places * keyBytes + place / 2 * 2 * valueBytes + place % 2,
                                4, 2)
                        }
                    }
                }
            }
        }
    }

    /// Computes attention of the last tokens of sequences to all tokens in a cache.
    ///
    /// - Parameters:
    ///   - fused: Shape `[sequences · tokens, heads.fusedWidth]`, after ``store(_:heads:in:after:)``.
    ///   - heads: The heads of `fused`.
    ///   - cache: The keys and values, including those of the new tokens.
    ///   - count: The number of tokens of each sequence, including the new tokens.
    ///   - biases: The terms of scores; nil if nothing is added.
    ///   - precision: The precision of the block's products.
    ///   - named: The query heads to compute, or nil for all. The context of other heads is 0. If
    ///     heads are named, there must be one token of each sequence.
    ///   - context: Shape `[sequences · tokens, heads.contextWidth]`, the result.
    ///   - scratch: Working memory.
    public func attend(
        _ fused: Activations, heads: AttentionHeads, cache: AttentionCache, count: Int,
        biases: ScoreBiases? = nil, precision: Precision = .f32, named: [Int]? = nil,
        into context: inout Activations, scratch: inout AttentionScratch
    ) {
        let (sequences, capacity) = (cache.sequences, cache.capacity)
        let tokens = fused.rows / sequences
        precondition(count <= capacity, "the cache is too small")
        precondition(tokens <= count, "the cache must contain the new tokens")
        if tokens == count, tokens > 1 {
            return attend(
                fused, heads: heads,
                sequences: (0..<sequences).map { $0 * tokens..<($0 + 1) * tokens }, causal: true,
                biases: biases, precision: precision, into: &context, scratch: &scratch)
        }
        precondition(fused.columns == heads.fusedWidth, "the input must have the fused width")
        if let rows = cache.bytes {
            return attend(
                fused, heads: heads, rows, tokens: tokens, count: count, biases: biases,
                named: named, into: &context, scratch: &scratch)
        }
        let size = heads.keyValue * capacity * heads.dimension
        withPointers(
            reading: fused.storage, cache.floats!.keys.elements, cache.floats!.values.elements
        ) { queries, keys, values in
            let segments = (0..<sequences).map { sequence in
                Segment(
                    firstRow: sequence * tokens, queries: tokens, keys: keys + sequence * size,
                    values: values + sequence * size, stride: heads.dimension,
                    headStride: capacity * heads.dimension, keyCount: count,
                    offset: count - tokens)
            }
            attend(
                queries: queries, width: heads.fusedWidth, segments, heads: heads, biases: biases,
                named: named, precision: precision, into: &context, scratch: &scratch)
        }
    }

    /// Computes attention of single queries to keys and values in 8 bits.
    private func attend(
        _ fused: Activations, heads: AttentionHeads, _ rows: AttentionCache.ByteRows, tokens: Int,
        count: Int, biases: ScoreBiases?, named: [Int]?, into context: inout Activations,
        scratch: inout AttentionScratch
    ) {
        let (width, dimension, outWidth) = (heads.fusedWidth, heads.dimension, heads.contextWidth)
        let group = heads.query / heads.keyValue
        let scoreCount = group * (PackedWeights.padded(count) + rows.valueBytes / 2 * 3)
        scratch.memory.grow(to: scoreCount * pool.threads)
        let (terms, queries) = (biases?.terms.elements ?? [], fused.rows)
        withPointers(
            writing: &context.storage, &scratch.memory, reading: terms, fused.storage, rows.codes,
            rows.scales
        ) { out, scores, terms, fused, codes, scales in
            if named != nil { out.update(repeating: 0, count: queries * outWidth) }
            forEachPart(
                of: heads, queries: queries, named: named, biases: biases, at: terms,
                position: { count - tokens + $0 % tokens }
            ) { query, part, firstKey, rule, thread in
                let head = part.lowerBound
                let cached = rows.head(
                    query / tokens * heads.keyValue + head / group, codes: codes, scales: scales)
                kernels.attend_cached(
                    fused + query * width + head * dimension, dimension, part.count, cached,
                    firstKey, count - tokens + query % tokens + 1, heads.scale, rule,
                    scores + thread * scoreCount, out + query * outWidth + head * dimension)
            }
        }
    }

    /// Computes attention of the single queries of segments to keys and values as floats.
    func attendOne(
        queries: UnsafePointer<Float>, width: Int, _ segments: [Segment], heads: AttentionHeads,
        biases: ScoreBiases?, named: [Int]?, into context: inout Activations,
        scratch: inout AttentionScratch
    ) {
        let (dimension, outWidth) = (heads.dimension, heads.contextWidth)
        let group = heads.query / heads.keyValue
        let longest = segments.map(\.keyCount).max() ?? 0
        let scoreCount = group * (PackedWeights.padded(longest) + Int(ck_mixed_floats))
        scratch.memory.grow(to: scoreCount * pool.threads)
        let (rows, terms) = (context.rows, biases?.terms.elements ?? [])
        withPointers(
            writing: &context.storage, &scratch.memory, reading: terms
        ) { out, scores, terms in
            if named != nil { out.update(repeating: 0, count: rows * outWidth) }
            forEachPart(
                of: heads, queries: segments.count, named: named, biases: biases, at: terms,
                position: { segments[$0].offset ?? 0 }
            ) { query, part, firstKey, rule, thread in
                let segment = segments[query]
                let head = part.lowerBound
                let shared = head / group * segment.headStride + firstKey * segment.stride
                kernels.attend_one_f32(
                    queries + segment.firstRow * width + head * dimension, dimension, part.count,
                    segment.keys + shared, segment.values + shared, segment.stride,
                    segment.keyCount - firstKey, heads.scale, rule,
                    scores + thread * scoreCount,
                    out + segment.firstRow * outWidth + head * dimension)
            }
        }
    }

    /// Calls a closure with each query and ranges of its heads, on all threads.
    ///
    /// The heads of a range have the same rule, keys and values, and are computed together. The
    /// closure is passed the query, the heads, the first key to which they attend, the changes of
    /// their scores, and the thread.
    private func forEachPart(
        of heads: AttentionHeads, queries: Int, named: [Int]?, biases: ScoreBiases?,
        at terms: UnsafePointer<Float>, position: (_ query: Int) -> Int,
        _ body: (Int, Range<Int>, Int, UnsafePointer<ck_scores>?, Int) -> Void
    ) {
        let apart = named ?? (biases == nil ? nil : Array(0..<heads.query))
        let parts = heads.parts(apart, tasks: 2 * pool.threads / max(queries, 1))
        pool.forEach(queries * parts.count) { index, thread in
            let (query, part) = index.quotientAndRemainder(dividingBy: parts.count)
            let place = position(query)
            let firstKey = heads.firstKey(of: place)
            heads.withRule(
                of: parts[part].lowerBound, distance: firstKey - place, biases, at: terms
            ) { rule in
                body(query, parts[part], firstKey, rule, thread)
            }
        }
    }
}
