import CKernels

/// Norms.
extension Engine {
    /// Normalises all or some rows of x, and stores them in the first rows of y.
    ///
    /// If `isCentred`, the norm is LayerNorm,
    /// `y = (x - mean(x)) / sqrt(variance(x) + epsilon) · w + b`. Otherwise the norm is RMSNorm
    /// without a bias, `y = x · w / sqrt(mean(x²) + epsilon)`.
    public func normalise(
        _ x: Activations, rows: Range<Int>? = nil, weight: [Float], bias: [Float]? = nil,
        isCentred: Bool, epsilon: Float, into y: inout Activations
    ) {
        let taken = rows ?? 0..<x.rows
        precondition(taken.upperBound <= x.rows && taken.count <= y.rows)
        precondition(x.columns == y.columns && weight.count == x.columns)
        precondition(bias == nil || bias?.count == x.columns)
        guard !taken.isEmpty else { return }
        withPointers(writing: &y.storage, reading: x.storage) { y, source in
            normalise(
                source + taken.lowerBound * x.columns, rows: taken.count, weight, bias, isCentred,
                epsilon, into: y)
        }
    }

    /// Normalises all or some rows in place, like
    /// ``normalise(_:rows:weight:bias:isCentred:epsilon:into:)``.
    public func normalise(
        inPlace x: inout Activations, rows: Range<Int>? = nil, weight: [Float], bias: [Float]?,
        isCentred: Bool, epsilon: Float
    ) {
        let taken = rows ?? 0..<x.rows
        precondition(taken.upperBound <= x.rows && weight.count == x.columns)
        precondition(bias == nil || bias?.count == x.columns)
        guard !taken.isEmpty else { return }
        let first = taken.lowerBound * x.columns
        withPointers(writing: &x.storage) { x in
            normalise(
                x + first, rows: taken.count, weight, bias, isCentred, epsilon, into: x + first)
        }
    }

    /// Normalises some heads of every row in place, each head with its own root mean square.
    ///
    /// - Parameters:
    ///   - x: Rows of heads. The width of a head is the number of weights.
    ///   - heads: The heads that are normalised.
    ///   - weight: One factor per channel of a head.
    ///   - epsilon: A small number that is added to the mean square.
    public func rmsNorm(
        _ x: inout Activations, heads: Range<Int>, weight: [Float], epsilon: Float
    ) {
        let (rows, columns, width) = (x.rows, x.columns, weight.count)
        precondition(heads.upperBound * width <= columns, "every head must exist")
        withPointers(writing: &x.storage, reading: weight) { x, weight in
            splitRows(rows) { rows in
                for row in rows {
                    for head in heads {
                        let place = x + row * columns + head * width
                        kernels.rms_norm_f32(place, place, weight, width, epsilon)
                    }
                }
            }
        }
    }

    /// Normalises rows of values.
    ///
    /// The source and the target may be the same memory.
    private func normalise(
        _ x: UnsafePointer<Float>, rows: Int, _ weight: [Float], _ bias: [Float]?,
        _ isCentred: Bool, _ epsilon: Float, into y: UnsafeMutablePointer<Float>
    ) {
        precondition(isCentred || bias == nil, "an RMSNorm must not have a bias")
        let columns = weight.count
        let shift = bias ?? [Float](repeating: 0, count: isCentred ? columns : 0)
        withPointers(reading: weight, shift) { weight, shift in
            splitRows(rows) { rows in
                for row in rows {
                    let (from, to) = (x + row * columns, y + row * columns)
                    if isCentred {
                        kernels.layer_norm_f32(to, from, weight, shift, columns, epsilon)
                    } else {
                        kernels.rms_norm_f32(to, from, weight, columns, epsilon)
                    }
                }
            }
        }
    }
}
