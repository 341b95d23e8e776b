import CKernels

extension Engine {
    /// The gradient by what ``attend(_:heads:sequences:causal:precision:into:scratch:)`` takes in.
    ///
    /// With `P = softmax(s Q·Kᵀ)` and `O = P·V`, that is `dV = Pᵀ·dO`, `dS = s P ∘ (dO·Vᵀ - rowsum(dO ∘
    /// O))`, `dQ = dS·K` and `dK = dSᵀ·Q`, a block of queries at a time, P computed anew.
    /// Source: Dao et al., "FlashAttention", arXiv 2205.14135, section B.4.
    ///
    /// - Parameters:
    ///   - fused: Shape `[tokens, heads.fusedWidth]`: queries, keys, values.
    ///   - heads: The heads in it.
    ///   - sequences: The rows of each sequence.
    ///   - causal: Whether a token sees only itself and what is before it.
    ///   - context: What attention gave, `[tokens, heads.contextWidth]`.
    ///   - gradient: By the context.
    ///   - result: By fused, of its shape; is overwritten.
    public func differentiateAttention(
        _ fused: Activations, heads: AttentionHeads, sequences: [Range<Int>], causal: Bool,
        context: Activations, gradient: Activations, into result: inout Activations
    ) {
        precondition(fused.columns == heads.fusedWidth, "attention input width")
        precondition(
            context.columns == heads.contextWidth && gradient.columns == heads.contextWidth,
            "attention output width")
        precondition(context.rows == fused.rows && gradient.rows == fused.rows, "attention rows")
        result.reshape(rows: fused.rows, columns: fused.columns)
        fused.storage.withUnsafeBufferPointer { fused in
            context.storage.withUnsafeBufferPointer { context in
                gradient.storage.withUnsafeBufferPointer { gradient in
                    result.storage.withUnsafeMutableBufferPointer { result in
                        let result = result
                        // Query heads of a group add to the same keys, so one thread takes them.
                        pool.forEach(sequences.count * heads.keyValue) { index, _ in
                            let (place, group) = index.quotientAndRemainder(
                                dividingBy: heads.keyValue)
                            let rows = sequences[place]
                            let (wide, narrow) = (
                                rows.lowerBound * heads.fusedWidth,
                                rows.lowerBound * heads.contextWidth
                            )
                            GroupGradient(
                                kernels: kernels, heads: heads, group: group, count: rows.count,
                                causal: causal, fused: fused.baseAddress! + wide,
                                context: context.baseAddress! + narrow,
                                gradient: gradient.baseAddress! + narrow,
                                result: result.baseAddress! + wide
                            ).compute()
                        }
                    }
                }
            }
        }
    }
}

/// The gradient of one group of query heads in one sequence.
private struct GroupGradient {
    let kernels: ck_kernels
    let heads: AttentionHeads
    let group, count: Int
    let causal: Bool
    /// The sequence's rows.
    let fused, context, gradient: UnsafePointer<Float>
    let result: UnsafeMutablePointer<Float>

    private static let queryBlock = 48

    private var width: Int { heads.dimension }
    private var scale: Float { 1 / Float(width).squareRoot() }
    /// Columns of the group's key and value heads.
    private var keyColumn: Int { heads.contextWidth + group * width }
    private var valueColumn: Int { keyColumn + heads.keyValue * width }

    func compute() {
        let (ld, keys, columns) = (
            heads.fusedWidth, PackedWeights.padded(count), PackedWeights.padded(width)
        )
        let blockFloats = Self.queryBlock * keys
        let productFloats = Int(ck_slab_rows) * (columns + Int(ck_tile_columns))
        let sizes = [
            keys * width, keys * width, columns * count, blockFloats, blockFloats,
            Self.queryBlock * width, Self.queryBlock * width, keys * width, keys * width,
            productFloats,
        ]
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: sizes.reduce(0, +))
        defer { memory.deallocate() }
        // All but what products work in.
        memory.initialize(repeating: 0, count: sizes.dropLast().reduce(0, +))
        var next = memory
        let parts = sizes.map { size in
            defer { next += size }
            return next
        }
        let (keyRows, valueRows, keyColumns) = (parts[0], parts[1], parts[2])
        let (keySums, valueSums) = (parts[7], parts[8])
        kernels.pack_rows_f32(fused + keyColumn, ld, count, width, keyRows)
        kernels.pack_rows_f32(fused + valueColumn, ld, count, width, valueRows)
        kernels.pack_columns_f32(fused + keyColumn, ld, count, width, keyColumns)
        let share = heads.query / heads.keyValue
        for head in group * share..<(group + 1) * share {
            for first in stride(from: 0, to: count, by: Self.queryBlock) {
                let block = Block(
                    head: head, first: first, rows: min(Self.queryBlock, count - first),
                    weights: parts[3], slopes: parts[4], queries: parts[5], given: parts[6])
                add(
                    block, keyRows, valueRows, keyColumns, to: keySums, valueSums,
                    scratch: parts[9])
            }
        }
        for row in 0..<count {
            (result + row * ld + keyColumn).update(from: keySums + row * width, count: width)
            (result + row * ld + valueColumn).update(from: valueSums + row * width, count: width)
        }
    }

    /// Some queries of a head, and memory for what is computed of them.
    private struct Block {
        let head, first, rows: Int
        /// P, then dS, with a row for each query.
        let weights, slopes: UnsafeMutablePointer<Float>
        /// The queries and the gradient by their contexts, side by side.
        let queries, given: UnsafeMutablePointer<Float>
    }

    private func add(
        _ block: Block, _ keyRows: UnsafeMutablePointer<Float>,
        _ valueRows: UnsafeMutablePointer<Float>, _ keyColumns: UnsafeMutablePointer<Float>,
        to keySums: UnsafeMutablePointer<Float>, _ valueSums: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let (ld, narrow, rows) = (heads.fusedWidth, heads.contextWidth, block.rows)
        let seen = causal ? block.first + rows : count
        let stride = PackedWeights.padded(seen)
        let column = block.head * width
        for row in 0..<rows {
            (block.queries + row * width).update(
                from: fused + (block.first + row) * ld + column, count: width)
            (block.given + row * width).update(
                from: gradient + (block.first + row) * narrow + column, count: width)
        }
        let (weights, slopes) = (block.weights, block.slopes)
        kernels.gemm_f32(
            block.queries, width, rows, width, keyRows, nil, weights, stride, seen,
            ck_epilogue_store)
        kernels.gemm_f32(
            block.given, width, rows, width, valueRows, nil, slopes, stride, seen,
            ck_epilogue_store)
        for row in 0..<rows {
            let limit = causal ? block.first + row + 1 : count
            let (weights, slopes) = (weights + row * stride, slopes + row * stride)
            kernels.softmax_f32(weights, limit, scale)
            let (own, result) = (
                block.given + row * width, context + (block.first + row) * narrow + column
            )
            var mean: Float = 0
            for index in 0..<width { mean += own[index] * result[index] }
            for key in 0..<limit { slopes[key] = scale * weights[key] * (slopes[key] - mean) }
            (weights + limit).update(repeating: 0, count: stride - limit)
            (slopes + limit).update(repeating: 0, count: stride - limit)
        }
        kernels.transposed_product_f32(
            weights, stride, rows, stride, block.given, width, 0, width, valueSums, scratch)
        kernels.transposed_product_f32(
            slopes, stride, rows, stride, block.queries, width, 0, width, keySums, scratch)
        for first in Swift.stride(from: 0, to: width, by: PackedWeights.panel) {
            kernels.gemm_f32(
                slopes, stride, rows, seen, keyColumns + first * count, nil,
                block.queries + first, width, min(PackedWeights.panel, width - first),
                ck_epilogue_store)
        }
        for row in 0..<rows {
            (result + (block.first + row) * ld + column).update(
                from: block.queries + row * width, count: width)
        }
    }
}
