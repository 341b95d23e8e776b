import CKernels

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Operations of gradients, besides ``linear(_:rows:_:into:firstRow:_:)``.
extension Engine {
    /// Replaces logits by the gradient of a weighted binary cross-entropy.
    ///
    /// The cross-entropy is summed over columns and averaged over rows.
    ///
    /// - Parameters:
    ///   - logits: Shape `[tokens, neurons]`; becomes the gradient.
    ///   - values: The same shape. An element is positive if the magnitude of its value is above
    ///     the threshold of its column.
    ///   - least: The threshold of each column.
    ///   - negativeWeight: The weight of negative elements; positive elements have weight 1.
    /// - Returns: The cross-entropy.
    public func differentiateBinaryCrossEntropy(
        _ logits: inout Activations, of values: Activations, above least: [Float],
        negativeWeight: Float
    ) -> Double {
        let (rows, columns) = (logits.rows, logits.columns)
        precondition(values.rows == rows && values.columns == columns, "values of logits")
        precondition(least.count == columns && rows > 0, "a threshold for every column")
        var losses = [Double](repeating: 0, count: rows)
        logits.storage.withUnsafeMutableBufferPointer { logits in
            losses.withUnsafeMutableBufferPointer { losses in
                let (logits, losses) = (logits, losses)
                splitRows(rows) { range in
                    for row in range {
                        var loss: Float = 0
                        for column in 0..<columns {
                            let (place, logit) = (
                                row * columns + column, logits[row * columns + column]
                            )
                            let isFound = abs(values.storage[place]) > least[column]
                            let weight = isFound ? 1 : negativeWeight
                            let rest = exp(-abs(logit))
                            loss += weight * (log1p(rest) + max(isFound ? -logit : logit, 0))
                            let share = (logit >= 0 ? 1 : rest) / (1 + rest)
                            logits[place] = weight * (share - (isFound ? 1 : 0)) / Float(rows)
                        }
                        losses[row] = Double(loss)
                    }
                }
            }
        }
        return losses.reduce(0, +) / Double(rows)
    }

    /// The gradient of a linear layer's weights: `c = aᵀ · b`, or `c += aᵀ · b`.
    ///
    /// The result does not depend on the number of threads.
    ///
    /// - Parameters:
    ///   - a: Gradients with respect to the layer's outputs, `[tokens, outputs]`.
    ///   - b: The layer's inputs, `[tokens, inputs]`.
    ///   - c: Shape `[outputs, inputs]`.
    ///   - adding: Whether the product is added to `c`.
    ///   - precision: With `f16` or `bf16`, pairs of 16-bit floats are multiplied if the processor
    ///     has instructions for them.
    /// - Complexity: O(tokens · outputs · inputs)
    public func transposedProduct(
        _ a: Activations, _ b: Activations, into c: inout Matrix<Float>, adding: Bool = false,
        precision: Precision = .f32
    ) {
        precondition(a.rows == b.rows, "rows of a transposed product")
        precondition(c.rows == a.columns && c.columns == b.columns, "shape of the product")
        let (rows, outputs, inputs) = (b.rows, a.columns, b.columns)
        precondition(rows > 0, "a product of no rows")
        let product =
            kernels.formats[precision].transposed_product
            ?? kernels.formats.f32.transposed_product!
        a.storage.withUnsafeBufferPointer { a in
            b.storage.withUnsafeBufferPointer { b in
                c.elements.withUnsafeMutableBufferPointer { c in
                    let c = c
                    if !adding { c.update(repeating: 0) }
                    shareProduct(outputs, inputs) { ours, theirs, scratch in
                        product(
                            a.baseAddress! + ours.lowerBound, outputs, rows, ours.count,
                            b.baseAddress!, inputs, theirs.lowerBound, theirs.upperBound,
                            c.baseAddress! + ours.lowerBound * inputs, scratch)
                    }
                }
            }
        }
    }

    /// The sum of each column.
    ///
    /// The result does not depend on the number of threads.
    public func columnSums(_ x: Activations) -> [Float] {
        let (rows, columns, length) = (x.rows, x.columns, 128)
        let pieces = (rows + length - 1) / length
        var sums = [Float](repeating: 0, count: columns * (pieces + 1))
        x.storage.withUnsafeBufferPointer { x in
            sums.withUnsafeMutableBufferPointer { sums in
                let sums = sums.baseAddress!
                pool.forEach(pieces) { piece, _ in
                    for row in piece * length..<min((piece + 1) * length, rows) {
                        kernels.add_f32(
                            sums + (piece + 1) * columns, x.baseAddress! + row * columns, columns)
                    }
                }
                for piece in 1..<pieces + 1 {
                    kernels.add_f32(sums, sums + piece * columns, columns)
                }
            }
        }
        return Array(sums.prefix(columns))
    }

    /// Divides a product into blocks of rows and columns, and calls `body` for each block with
    /// working memory.
    ///
    /// The packed columns of a block fit in the second-level cache. Rows are packed again for each
    /// block of columns, and columns are packed again for each block of rows. The numbers of blocks
    /// minimise the amount of packing. Every thread gets the same number of blocks if there are
    /// enough rows.
    private func shareProduct(
        _ rows: Int, _ columns: Int,
        _ body: (_ rows: Range<Int>, _ columns: Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) {
        let (panel, tile, threads) = (PackedWeights.panel, Int(ck_tile_columns), pool.threads)
        let (panels, tiles) = ((columns + panel - 1) / panel, (rows + tile - 1) / tile)
        let least = (panels + 11) / 12
        let shapes = (least..<least + threads).map { across in
            let across = min(across, panels)
            var down = 1
            while across * down % threads > 0 { down += 1 }
            return (across: across, down: min(down, tiles))
        }
        let (across, down) = shapes.min {
            $0.across * rows + $0.down * columns < $1.across * rows + $1.down * columns
        }!
        let floats = Int(ck_slab_rows) * ((panels + across - 1) / across * panel + tile)
        let memory = scratch.bytes(pool.threads * floats * MemoryLayout<Float>.stride)
            .assumingMemoryBound(to: Float.self)
        pool.forEach(across * down) { index, thread in
            let (i, j) = index.quotientAndRemainder(dividingBy: across)
            body(
                tiles * i / down * tile..<min(tiles * (i + 1) / down * tile, rows),
                panels * j / across * panel..<min(panels * (j + 1) / across * panel, columns),
                memory + thread * floats)
        }
    }

    /// Applies an activation function to the output of a layer, `y = f(x)`.
    ///
    /// For a gated function, the first half of each row of x is the output of the gate projection,
    /// and the second half is the output of the up projection.
    ///
    /// - Precondition: The function is not ``Epilogue/store`` or ``Epilogue/add``.
    public func activate(_ x: Activations, _ function: Epilogue, into y: inout Activations) {
        let (rows, columns, width) = (x.rows, x.columns, function.width(of: x.columns))
        y.reshape(rows: rows, columns: width)
        x.storage.withUnsafeBufferPointer { x in
            y.storage.withUnsafeMutableBufferPointer { y in
                let y = y
                splitRows(rows) { rows in
                    for row in rows {
                        kernels.activate_f32(
                            x.baseAddress! + row * columns, width, function.kernel,
                            y.baseAddress! + row * width)
                    }
                }
            }
        }
    }

    /// Computes the gradient of ``activate(_:_:into:)`` with respect to x, from the gradient with
    /// respect to y.
    public func differentiate(
        _ x: Activations, _ function: Epilogue, gradient: Activations,
        into result: inout Activations
    ) {
        let (rows, columns, width) = (x.rows, x.columns, function.width(of: x.columns))
        precondition(gradient.rows == rows && gradient.columns == width, "shape of the gradient")
        result.reshape(rows: rows, columns: columns)
        x.storage.withUnsafeBufferPointer { x in
            gradient.storage.withUnsafeBufferPointer { gradient in
                result.storage.withUnsafeMutableBufferPointer { result in
                    let result = result
                    splitRows(rows) { rows in
                        for row in rows {
                            kernels.differentiate_f32(
                                x.baseAddress! + row * columns,
                                gradient.baseAddress! + row * width, width, function.kernel,
                                result.baseAddress! + row * columns)
                        }
                    }
                }
            }
        }
    }
}

/// Gradients of operations on rows.
extension Engine {
    /// Adds the gradient of ``normalise(_:rows:weight:bias:isCentred:epsilon:into:)``, from the
    /// gradient with respect to its result.
    ///
    /// The sums do not depend on the number of threads.
    ///
    /// - Parameters:
    ///   - x: The input of the norm.
    ///   - gradient: The gradient with respect to the result, of x's shape.
    ///   - weight: The weight of the norm.
    ///   - isCentred: Whether the norm subtracts the mean.
    ///   - epsilon: The epsilon of the norm.
    ///   - result: The gradient with respect to x is added to it.
    ///   - weightGradient: The gradient with respect to the weight is added to it.
    ///   - biasGradient: The gradient with respect to the bias is added to it. Its values are
    ///     unspecified if the norm has no bias.
    public func differentiateNorm(
        of x: Activations, gradient: Activations, weight: [Float], isCentred: Bool,
        epsilon: Float, addingTo result: inout Activations, weightGradient: inout [Float],
        biasGradient: inout [Float]
    ) {
        precondition(x.rows == gradient.rows && x.columns == gradient.columns, "norm gradient")
        precondition(x.rows == result.rows && x.columns == result.columns, "norm gradient")
        precondition(weight.count == x.columns, "norm width")
        let (rows, columns) = (x.rows, x.columns)
        x.storage.withUnsafeBufferPointer { x in
            gradient.storage.withUnsafeBufferPointer { gradient in
                result.storage.withUnsafeMutableBufferPointer { result in
                    let result = result
                    differentiateNorms(
                        rows, weight, isCentred, epsilon,
                        &weightGradient, &biasGradient
                    ) { row in
                        (
                            x.baseAddress! + row * columns, gradient.baseAddress! + row * columns,
                            result.baseAddress! + row * columns
                        )
                    }
                }
            }
        }
    }

    /// Replaces the gradient with respect to the result of ``rmsNorm(_:heads:weight:epsilon:)`` by
    /// the gradient with respect to x.
    ///
    /// - Parameters:
    ///   - x: The input of the norm.
    ///   - heads: The heads that were normalised.
    ///   - weight: One factor per channel of a head.
    ///   - epsilon: The epsilon of the norm.
    ///   - gradient: The gradient with respect to the result; becomes the gradient with respect to
    ///     x.
    ///   - weightGradient: The gradient with respect to the weight is added to it.
    public func differentiateNorm(
        of x: Activations, heads: Range<Int>, weight: [Float], epsilon: Float,
        gradient: inout Activations, weightGradient: inout [Float]
    ) {
        let (rows, columns, width, count) = (x.rows, x.columns, weight.count, heads.count)
        precondition(gradient.rows == rows && gradient.columns == columns, "norm gradient")
        var given = [Float](repeating: 0, count: rows * count * width)
        var unused = [Float](repeating: 0, count: width)
        x.storage.withUnsafeBufferPointer { x in
            given.withUnsafeMutableBufferPointer { given in
                gradient.storage.withUnsafeMutableBufferPointer { gradient in
                    let (given, gradient) = (given, gradient)
                    differentiateNorms(
                        rows * count, weight, false, epsilon, &weightGradient, &unused
                    ) { index in
                        let (row, head) = index.quotientAndRemainder(dividingBy: count)
                        let place = row * columns + (heads.lowerBound + head) * width
                        let result = gradient.baseAddress! + place
                        let copy = given.baseAddress! + index * width
                        copy.update(from: result, count: width)
                        result.update(repeating: 0, count: width)
                        return (x.baseAddress! + place, UnsafePointer(copy), result)
                    }
                }
            }
        }
    }

    /// Differentiates norms of vectors.
    ///
    /// `vectors` returns the vectors of x, of the gradient and of the result at an index. The
    /// gradients of weights are added in the order of the pieces, for every number of threads.
    private func differentiateNorms(
        _ count: Int, _ weight: [Float], _ isCentred: Bool, _ epsilon: Float,
        _ weightGradient: inout [Float], _ biasGradient: inout [Float],
        _ vectors: (Int) -> (
            x: UnsafePointer<Float>, gradient: UnsafePointer<Float>,
            result: UnsafeMutablePointer<Float>
        )
    ) {
        let (width, length) = (weight.count, 128)
        let pieces = (count + length - 1) / length
        var sums = [Float](repeating: 0, count: 2 * width * pieces)
        weight.withUnsafeBufferPointer { weight in
            sums.withUnsafeMutableBufferPointer { sums in
                let sums = sums
                pool.forEach(pieces) { piece, _ in
                    let own = sums.baseAddress! + 2 * width * piece
                    for index in piece * length..<min((piece + 1) * length, count) {
                        let (x, gradient, result) = vectors(index)
                        kernels.norm_gradient_f32(
                            x, gradient, weight.baseAddress!, width, epsilon, isCentred ? 1 : 0,
                            result, own, own + width)
                    }
                }
            }
        }
        for piece in 0..<pieces {
            for column in 0..<width {
                weightGradient[column] += sums[2 * width * piece + column]
                biasGradient[column] += sums[2 * width * piece + width + column]
            }
        }
    }

    /// Adds each row of a gradient to the row of the table's gradient that was looked up.
    public func scatter(
        _ gradient: Activations, rows indices: [Int32], addingTo table: inout Matrix<Float>
    ) {
        precondition(indices.count == gradient.rows && table.columns == gradient.columns)
        let (columns, rows) = (gradient.columns, table.rows)
        gradient.storage.withUnsafeBufferPointer { source in
            table.elements.withUnsafeMutableBufferPointer { table in
                let table = table
                // Columns are divided among threads, so that every sum has a fixed order.
                pool.split(columns) { range, _ in
                    for (row, index) in indices.enumerated() {
                        precondition(index >= 0 && Int(index) < rows, "row past table")
                        kernels.add_f32(
                            table.baseAddress! + Int(index) * columns + range.lowerBound,
                            source.baseAddress! + row * columns + range.lowerBound, range.count)
                    }
                }
            }
        }
    }

    /// Replaces logits by the gradient of cross entropy.
    ///
    /// - Parameters:
    ///   - logits: Shape `[rows, classes]`; becomes `factor · (softmax(logits) - target)`.
    ///   - targets: The correct class of each row. The loss and the gradient of a row with a
    ///     negative class are 0.
    ///   - factor: The factor of the gradient.
    /// - Returns: `Σ -log softmax(logits)[target]` over the rows whose class is not negative.
    public func differentiateCrossEntropy(
        _ logits: inout Activations, targets: [Int32], factor: Float
    ) -> Double {
        precondition(targets.count == logits.rows, "a target for every row")
        let columns = logits.columns
        let normalisers = logSumExp(logits)
        var losses = [Double](repeating: 0, count: targets.count)
        logits.storage.withUnsafeMutableBufferPointer { logits in
            losses.withUnsafeMutableBufferPointer { losses in
                let (logits, losses) = (logits, losses)
                splitRows(targets.count) { rows in
                    for row in rows {
                        let place = logits.baseAddress! + row * columns
                        let target = Int(targets[row])
                        guard target >= 0 else {
                            place.update(repeating: 0, count: columns)
                            continue
                        }
                        precondition(target < columns, "target past classes")
                        losses[row] = normalisers[row] - Double(place[target])
                        kernels.softmax_f32(place, columns, 1)
                        place[target] -= 1
                        for column in 0..<columns { place[column] *= factor }
                    }
                }
            }
        }
        return losses.reduce(0, +)
    }

    /// Replaces logits by the gradient of their divergence from a teacher's distributions.
    ///
    /// Let p be the teacher's `softmax(logits / T)`, q the student's, and m the mixture
    /// `β p + (1 - β) q`. For 0 < β < 1 the loss is `T² (β KL(p ‖ m) + (1 - β) KL(q ‖ m))`. This
    /// formula is 0 at β = 0 and at β = 1. There the loss is the magnitude of its slope with
    /// respect to β: `T² KL(p ‖ q)` at β = 0 and `T² KL(q ‖ p)` at β = 1.
    ///
    /// Source: Agarwal et al., "On-policy distillation of language models", arXiv 2306.13649,
    /// section 3.
    ///
    /// - Parameters:
    ///   - logits: Shape `[rows, classes]`; becomes the gradient.
    ///   - teacher: The teacher's logits, of the same shape.
    ///   - temperature: T.
    ///   - mixture: β, from 0 to 1.
    ///   - factor: The factor of the gradient.
    /// - Returns: The sum of the loss over rows, in nats, without the factor of the gradient.
    public func differentiateDivergence(
        _ logits: inout Activations, from teacher: Activations, temperature: Float,
        mixture: Float = 0, factor: Float
    ) -> Double {
        precondition(logits.rows == teacher.rows && logits.columns == teacher.columns, "logits")
        precondition((0...1).contains(mixture), "a share")
        let (rows, columns) = (logits.rows, logits.columns)
        let slope = factor * temperature
        var divergences = [Double](repeating: 0, count: rows)
        logits.storage.withUnsafeMutableBufferPointer { logits in
            teacher.storage.withUnsafeBufferPointer { teacher in
                divergences.withUnsafeMutableBufferPointer { divergences in
                    let (logits, teacher, divergences) = (logits, teacher, divergences)
                    splitRows(rows) { rows in
                        withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { given in
                            let given = given.baseAddress!
                            for row in rows {
                                let own = logits.baseAddress! + row * columns
                                let taught = teacher.baseAddress! + row * columns
                                for column in 0..<columns {
                                    own[column] /= temperature
                                    given[column] = taught[column] / temperature
                                }
                                divergences[row] = differentiate(
                                    own, from: given, columns, mixture: mixture, factor: slope)
                            }
                        }
                    }
                }
            }
        }
        return Double(temperature * temperature) * divergences.reduce(0, +)
    }

    /// Returns the loss of one row, without its factor T².
    ///
    /// The logits are divided by T before the call. The student's logits are replaced by the
    /// gradient, and the teacher's logits by p.
    private func differentiate(
        _ own: UnsafeMutablePointer<Float>, from given: UnsafeMutablePointer<Float>, _ count: Int,
        mixture: Float, factor: Float
    ) -> Double {
        var divergence = 0.0
        if mixture == 0 {
            let (a, b) = (
                kernels.log_sum_exp_f32(given, count), kernels.log_sum_exp_f32(own, count)
            )
            divergence = kernels.divergence_f32(given, own, count, a, b)
        }
        kernels.softmax_f32(own, count, 1)
        kernels.softmax_f32(given, count, 1)
        guard mixture == 0 else {
            return Self.differentiateMixture(own, given, count, mixture: mixture, factor: factor)
        }
        for place in 0..<count { own[place] = factor * (own[place] - given[place]) }
        return divergence
    }

    /// Returns the loss of one row for β > 0, without its factor T².
    ///
    /// The distribution q is replaced by the gradient with respect to the logits,
    /// `factor · (1 - β) q (log(q / m) - KL(q ‖ m))`. At β = 1 the weight 1 - β is replaced by 1,
    /// both in the loss and in the gradient.
    ///
    /// The terms of the gradient of m cancel.
    private static func differentiateMixture(
        _ own: UnsafeMutablePointer<Float>, _ given: UnsafePointer<Float>, _ count: Int,
        mixture: Float, factor: Float
    ) -> Double {
        // The logarithm of a probability of 0 is replaced by that of the smallest normal number.
        let least = Float.leastNormalMagnitude
        var (ours, theirs) = (0.0, 0.0)
        for place in 0..<count {
            let (q, p) = (own[place], given[place])
            let mixed = max(mixture * p + (1 - mixture) * q, least)
            ours += Double(q * log(max(q, least) / mixed))
            if mixture < 1 { theirs += Double(p * log(max(p, least) / mixed)) }
        }
        let share = mixture < 1 ? 1 - mixture : 1
        for place in 0..<count {
            let (q, p) = (own[place], given[place])
            let mixed = max(mixture * p + (1 - mixture) * q, least)
            own[place] = factor * share * q * (log(max(q, least) / mixed) - Float(ours))
        }
        return Double(share) * ours + (mixture < 1 ? Double(mixture) * theirs : 0)
    }
}

extension Epilogue {
    fileprivate func width(of columns: Int) -> Int {
        precondition(self != .store && self != .add, "no activation function")
        return isGated ? columns / 2 : columns
    }
}
