import CKernels

/// Gradients of norms.
extension Engine {
    /// Computes the gradients of ``normalise(_:rows:weight:bias:isCentred:epsilon:into:)``.
    ///
    /// The gradients with respect to x, weight and bias are added to `result`, `weightGradient` and
    /// `biasGradient`. The sums do not depend on the number of threads.
    ///
    /// - Parameters:
    ///   - x: The input of the norm.
    ///   - gradient: The gradient with respect to the output of the norm, of x's shape.
    ///   - weight: The weight of the norm.
    ///   - isCentred: Whether the norm subtracts the mean.
    ///   - epsilon: The epsilon of the norm.
    ///   - result: The sum to which the gradient with respect to x is added.
    ///   - weightGradient: The sum to which the gradient with respect to the weight is added.
    ///   - biasGradient: The sum to which the gradient with respect to the bias is added. Ignore it
    ///     if the norm has no bias.
    public func differentiateNorm(
        of x: Activations, gradient: Activations, weight: [Float], isCentred: Bool,
        epsilon: Float, addingTo result: inout Activations, weightGradient: inout [Float],
        biasGradient: inout [Float]
    ) {
        precondition(
            x.rows == gradient.rows && x.columns == gradient.columns,
            "the gradient must have the shape of x")
        precondition(
            x.rows == result.rows && x.columns == result.columns,
            "the result must have the shape of x")
        precondition(weight.count == x.columns, "the norm needs one weight for each column of x")
        let (rows, columns) = (x.rows, x.columns)
        withPointers(
            writing: &result.storage, reading: x.storage, gradient.storage
        ) { result, x, gradient in
            differentiateNorms(
                rows, weight, isCentred, epsilon, &weightGradient, &biasGradient
            ) { row in
                (x + row * columns, gradient + row * columns, result + row * columns)
            }
        }
    }

    /// Replaces the gradient with respect to the output of ``rmsNorm(_:heads:weight:epsilon:)`` by
    /// the gradient with respect to x.
    ///
    /// - Parameters:
    ///   - x: The input of the norm.
    ///   - heads: The heads that were normalised.
    ///   - weight: One factor per channel of a head.
    ///   - epsilon: The epsilon of the norm.
    ///   - gradient: The gradient with respect to the output of the norm; becomes the gradient with
    ///     respect to x.
    ///   - weightGradient: The sum to which the gradient with respect to the weight is added.
    public func differentiateNorm(
        of x: Activations, heads: Range<Int>, weight: [Float], epsilon: Float,
        gradient: inout Activations, weightGradient: inout [Float]
    ) {
        let (rows, columns, width, count) = (x.rows, x.columns, weight.count, heads.count)
        precondition(
            gradient.rows == rows && gradient.columns == columns,
            "the gradient must have the shape of x")
        var given = [Float](repeating: 0, count: rows * count * width)
        var unused = [Float](repeating: 0, count: width)
        withPointers(
            writing: &gradient.storage, &given, reading: x.storage
        ) { gradient, given, x in
            differentiateNorms(
                rows * count, weight, false, epsilon, &weightGradient, &unused
            ) { index in
                let (row, head) = index.quotientAndRemainder(dividingBy: count)
                let place = row * columns + (heads.lowerBound + head) * width
                let (result, copy) = (gradient + place, given + index * width)
                copy.update(from: result, count: width)
                result.update(repeating: 0, count: width)
                return (x + place, UnsafePointer(copy), result)
            }
        }
    }

    /// Computes the gradients of `count` norms of one vector each.
    ///
    /// `vectors(i)` returns the addresses of x, the gradient and the result of norm i. The norms
    /// are divided into pieces of fixed size. The weight and bias gradients of the pieces are added
    /// in order, so the sums do not depend on the number of threads.
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
        withPointers(writing: &sums, reading: weight) { sums, weight in
            pool.forEach(pieces) { piece, _ in
                let own = sums + 2 * width * piece
                for index in piece * length..<min((piece + 1) * length, count) {
                    let (x, gradient, result) = vectors(index)
                    kernels.norm_gradient_f32(
                        x, gradient, weight, width, epsilon, isCentred ? 1 : 0, result, own,
                        own + width)
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
}
