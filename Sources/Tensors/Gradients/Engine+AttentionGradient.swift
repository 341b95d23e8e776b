import CKernels

extension Engine {
    /// Computes the gradient with respect to the input of
    /// ``attend(_:heads:sequences:causal:biases:precision:into:scratch:)``.
    ///
    /// With `P = softmax(s Q·Kᵀ)`, `O = P·V` and `dP = dO·Vᵀ`, the gradients are `dV = Pᵀ·dO`,
    /// `dS = s P ∘ (dP - rowsum(P ∘ dP))`, `dQ = dS·K` and `dK = dSᵀ·Q`. They are computed for one
    /// block of queries at a time. P was not stored, so it is computed again. Source: Dao et al.,
    /// "FlashAttention", arXiv 2205.14135, section B.4.
    ///
    /// - Parameters:
    ///   - fused: Shape `[tokens, heads.fusedWidth]`: queries, keys, values.
    ///   - heads: The heads of `fused`.
    ///   - sequences: The rows of each sequence.
    ///   - causal: Whether a token attends only to itself and to earlier tokens.
    ///   - biases: The terms of scores; nil if nothing is added.
    ///   - precision: With `bf16` and `bf16x2`, the products use bfloat16 if the processor has
    ///     instructions for it.
    ///   - gradient: The gradient with respect to the context, `[tokens, heads.contextWidth]`.
    ///   - result: The gradient with respect to `fused`, of the same shape; it is overwritten.
    /// - Returns: The gradient with respect to the terms of scores: the sums of dS over pairs of
    ///   tokens with the same distance, before dS is multiplied by s. It is nil without terms.
    @discardableResult
    public func differentiateAttention(
        _ fused: Activations, heads: AttentionHeads, sequences: [Range<Int>], causal: Bool,
        biases: ScoreBiases? = nil, precision: Precision = .f32, gradient: Activations,
        into result: inout Activations
    ) -> ScoreBiasGradient? {
        precondition(fused.columns == heads.fusedWidth, "the input must have the fused width")
        precondition(
            gradient.columns == heads.contextWidth, "the gradient must have the context width")
        precondition(gradient.rows == fused.rows, "the gradient needs one row for each token")
        result.reshape(rows: fused.rows, columns: fused.columns)
        let longest = sequences.map(\.count).max() ?? 0
        precondition(
            biases?.reach(longest, causal: causal) ?? true, "distances past the terms of scores")
        let products = GradientProducts(kernels, precision)
        let memory = GradientMemory(
            keys: longest, width: heads.dimension, block: products.queryBlock)
        let bytes = memory.end * MemoryLayout<Float>.stride
        let scratch = scratch.bytes(pool.threads * bytes).assumingMemoryBound(to: Float.self)
        let terms = biases?.terms.elements ?? []
        // Threads add to different sums, so that the result does not depend on their number.
        let reach = max(longest, 1)
        let sumCount = biases == nil ? 0 : heads.query * (2 * reach - 1)
        var sums = [Float](repeating: 0, count: sequences.count * sumCount)
        withPointers(
            writing: &result.storage, &sums, reading: fused.storage, gradient.storage, terms
        ) { result, sums, fused, gradient, terms in
            // All query heads of a group add to the gradient of the same keys, so one thread
            // computes them.
            pool.forEach(sequences.count * heads.keyValue) { index, thread in
                let (place, group) = index.quotientAndRemainder(dividingBy: heads.keyValue)
                let rows = sequences[place]
                let (wide, narrow) = (
                    rows.lowerBound * heads.fusedWidth, rows.lowerBound * heads.contextWidth
                )
                GroupGradient(
                    products: products, heads: heads, group: group, count: rows.count,
                    causal: causal, biases: biases, terms: terms,
                    sums: sums + place * sumCount, reach: reach, fused: fused + wide,
                    gradient: gradient + narrow, result: result + wide,
                    parts: memory.at(scratch + thread * memory.end)
                ).compute()
            }
        }
        return biases.map { _ in
            ScoreBiasGradient(
                reach: reach,
                sums: (0..<sumCount).map { place in
                    sequences.indices.reduce(0) { $0 + sums[$1 * sumCount + place] }
                })
        }
    }
}

/// The gradient with respect to the terms of the scores of some heads.
public struct ScoreBiasGradient: Sendable {
    /// The distances are from `1 - reach` to `reach - 1`.
    private let reach: Int
    /// One sum for each head and distance.
    private let sums: [Float]

    fileprivate init(reach: Int, sums: [Float]) { (self.reach, self.sums) = (reach, sums) }

    /// The distances that occur in the sequences.
    public var distances: ClosedRange<Int> { 1 - reach...reach - 1 }

    /// The gradient with respect to the term of a query head at a distance.
    public subscript(head: Int, distance: Int) -> Float {
        sums[head * distances.count + distance + reach - 1]
    }
}

/// The working memory for the gradient of a group of heads.
private struct GradientMemory {
    private let sizes: [Int]

    init(keys: Int, width: Int, block: Int) {
        let (keys, columns) = (PackedWeights.padded(keys), PackedWeights.padded(width))
        sizes = [
            keys * columns, keys * columns, keys * columns, block * keys, block * keys,
            block * width, block * width, keys * width, keys * width, block * max(keys, columns),
            Int(ck_slab_rows) * (columns + Int(ck_tile_columns)), keys,
        ].map(PackedWeights.padded)  // so that every part begins a cache line
    }

    /// The size of the memory in floats.
    var end: Int { sizes.reduce(0, +) }

    /// Returns the addresses of the parts of the working memory that begins at `address`.
    func at(_ address: UnsafeMutablePointer<Float>) -> Parts {
        var next = address
        let parts = sizes.map { size in
            defer { next += size }
            return next
        }
        return Parts(
            keyRows: parts[0], valueRows: parts[1], keyColumns: parts[2], weights: parts[3],
            slopes: parts[4], queries: parts[5], given: parts[6], keySums: parts[7],
            valueSums: parts[8], rounded: parts[9], scratch: parts[10],
            derivatives: parts[11])
    }

    struct Parts {
        /// Keys and values packed as outputs, and keys packed as inputs.
        let keyRows, valueRows, keyColumns: UnsafeMutablePointer<Float>
        /// P and dS, with one row for each query of a block.
        let weights, slopes: UnsafeMutablePointer<Float>
        /// The queries of a block, and the gradient with respect to their context.
        let queries, given: UnsafeMutablePointer<Float>
        /// The gradients with respect to keys and values.
        let keySums, valueSums: UnsafeMutablePointer<Float>
        /// Working memory of products.
        let rounded, scratch: UnsafeMutablePointer<Float>
        /// The derivatives of a query's capped scores with respect to its products with the keys.
        let derivatives: UnsafeMutablePointer<Float>
    }
}

/// The gradient of one group of query heads in one sequence.
private struct GroupGradient {
    let products: GradientProducts
    let heads: AttentionHeads
    let group, count: Int
    let causal: Bool
    let biases: ScoreBiases?
    let terms: UnsafePointer<Float>
    /// The sums of the sequence by head and distance, if there are terms of scores.
    let sums: UnsafeMutablePointer<Float>
    let reach: Int
    /// The sequence's rows.
    let fused, gradient: UnsafePointer<Float>
    let result: UnsafeMutablePointer<Float>
    let parts: GradientMemory.Parts

    private var width: Int { heads.dimension }
    private var scale: Float { heads.scale }
    /// The first columns of the group's key and value heads.
    private var keyColumn: Int { heads.contextWidth + group * width }
    private var valueColumn: Int { keyColumn + heads.keyValue * width }

    func compute() {
        let ld = heads.fusedWidth
        products.pack(fused + keyColumn, ld, count, width, into: parts.keyRows)
        products.pack(fused + valueColumn, ld, count, width, into: parts.valueRows)
        products.pack(
            fused + keyColumn, ld, count, width, asInputs: true, into: parts.keyColumns)
        for sums in [parts.keySums, parts.valueSums] {
            sums.update(repeating: 0, count: PackedWeights.padded(count) * width)
        }
        let share = heads.query / heads.keyValue
        for head in group * share..<(group + 1) * share {
            for first in stride(from: 0, to: count, by: products.queryBlock) {
                add(head, first..<min(first + products.queryBlock, count))
            }
        }
        for row in 0..<count {
            let target = result + row * ld
            (target + keyColumn).update(from: parts.keySums + row * width, count: width)
            (target + valueColumn).update(from: parts.valueSums + row * width, count: width)
        }
    }

    /// Replaces the products of a query and `seen` keys by the softmax weights of the keys.
    ///
    /// Replaces the gradient with respect to the weights by the gradient with respect to the
    /// products. The elements of keys that the query does not attend to become 0.
    private func differentiateSoftmax(
        _ weights: UnsafeMutablePointer<Float>, _ slopes: UnsafeMutablePointer<Float>,
        head: Int, place: Int, seen: Int, stride: Int
    ) {
        let first = heads.firstKey(of: place)
        for row in [weights, slopes] { row.update(repeating: 0, count: first) }
        let (weights, slopes, count) = (weights + first, slopes + first, seen - first)
        let changes = heads.cap != nil || biases != nil
        var scale = scale
        if changes {
            heads.withRule(of: head, distance: first - place, biases, at: terms) { rule in
                guard let rule else { return }
                products.kernels.score_f32(weights, count, scale, rule, parts.derivatives)
            }
            scale = 1
        }
        products.kernels.softmax_gradient_f32(weights, slopes, count, stride - first, scale)
        guard changes else { return }
        if biases != nil {
            let sums = sums + head * (2 * reach - 1) + first - place + reach - 1
            for key in 0..<count { sums[key] += slopes[key] }
        }
        for key in 0..<count { slopes[key] *= parts.derivatives[key] }
    }

    /// Computes the gradient of a block of queries of one head, and adds the block's part of the
    /// gradients of keys and values.
    private func add(_ head: Int, _ block: Range<Int>) {
        let (ld, narrow, rows) = (heads.fusedWidth, heads.contextWidth, block.count)
        let seen = causal ? block.upperBound : count
        let stride = PackedWeights.padded(seen)
        let column = head * width
        let (weights, slopes) = (parts.weights, parts.slopes)
        for (row, place) in block.enumerated() {
            (parts.queries + row * width).update(
                from: fused + place * ld + column, count: width)
            (parts.given + row * width).update(
                from: gradient + place * narrow + column, count: width)
        }
        for (own, panels, product) in [
            (parts.queries, parts.keyRows, weights), (parts.given, parts.valueRows, slopes),
        ] {
            let (a, depth) = products.operand(
                own, width, rows: rows, inputs: width, rounded: parts.rounded)
            products.multiply(
                a, depth, rows: rows, inputs: width, panels, into: product, stride,
                columns: seen)
        }
        for (row, place) in block.enumerated() {
            differentiateSoftmax(
                weights + row * stride, slopes + row * stride, head: head, place: place,
                seen: causal ? place + 1 : count, stride: stride)
        }
        products.addTransposed(
            weights, rows: rows, columns: stride, parts.given, width: width,
            to: parts.valueSums, scratch: parts.scratch)
        products.addTransposed(
            slopes, rows: rows, columns: stride, parts.queries, width: width,
            to: parts.keySums, scratch: parts.scratch)
        let (a, depth) = products.operand(
            slopes, stride, rows: rows, inputs: seen, rounded: parts.rounded)
        for first in Swift.stride(from: 0, to: width, by: PackedWeights.panel) {
            products.multiply(
                a, depth, rows: rows, inputs: seen,
                parts.keyColumns + first * products.depth(count),
                into: result + block.lowerBound * ld + column + first, ld,
                columns: min(PackedWeights.panel, width - first))
        }
    }
}
