import CKernels

/// Gradients of the weights of linear layers and of embedding tables.
extension Engine {
    /// Computes the gradient of a linear layer's weights: `c = aᵀ · b`, or `c += aᵀ · b`.
    ///
    /// The result does not depend on the number of threads.
    ///
    /// - Parameters:
    ///   - a: Gradients with respect to the layer's outputs, `[tokens, outputs]`.
    ///   - b: The layer's inputs, `[tokens, inputs]`.
    ///   - c: Shape `[outputs, inputs]`.
    ///   - adding: Whether the product is added to `c`. If not, `c` is overwritten.
    ///   - precision: With `f16`, `bf16` or `bf16x2`, the product uses 16-bit floats if the processor
    ///     has instructions for them.
    /// - Complexity: O(tokens · outputs · inputs)
    public func transposedProduct(
        _ a: Activations, _ b: Activations, into c: inout Matrix<Float>, adding: Bool = false,
        precision: Precision = .f32
    ) {
        precondition(a.rows == b.rows, "outputs and inputs must have the same number of rows")
        precondition(
            c.rows == a.columns && c.columns == b.columns,
            "the product must have the shape [outputs, inputs]")
        let (rows, outputs, inputs) = (b.rows, a.columns, b.columns)
        precondition(rows > 0, "a transposed product needs at least one row")
        let format = kernels.formats.transposing(precision)
        withPointers(writing: &c.elements, reading: a.storage, b.storage) { c, a, b in
            if !adding { c.update(repeating: 0, count: outputs * inputs) }
            shareProduct(outputs, inputs) { ours, theirs, scratch in
                format.multiplyTransposed(
                    a + ours.lowerBound, stride: outputs, rows: rows, columns: ours.count, b,
                    width: inputs, only: theirs, addingTo: c + ours.lowerBound * inputs,
                    scratch: scratch)
            }
        }
    }

    /// Returns the sum of each column.
    ///
    /// The result does not depend on the number of threads.
    public func columnSums(_ x: Activations) -> [Float] {
        let (rows, columns, length) = (x.rows, x.columns, 128)
        let pieces = (rows + length - 1) / length
        var sums = [Float](repeating: 0, count: columns * (pieces + 1))
        withPointers(writing: &sums, reading: x.storage) { sums, x in
            pool.forEach(pieces) { piece, _ in
                for row in piece * length..<min((piece + 1) * length, rows) {
                    kernels.add_f32(sums + (piece + 1) * columns, x + row * columns, columns)
                }
            }
            for piece in 1..<pieces + 1 {
                kernels.add_f32(sums, sums + piece * columns, columns)
            }
        }
        return Array(sums.prefix(columns))
    }

    /// Adds row i of a gradient to row `indices[i]` of the gradient of an embedding table.
    public func scatter(
        _ gradient: Activations, rows indices: [Int32], addingTo table: inout Matrix<Float>
    ) {
        precondition(indices.count == gradient.rows && table.columns == gradient.columns)
        let (columns, rows) = (gradient.columns, table.rows)
        withPointers(writing: &table.elements, reading: gradient.storage) { table, gradient in
            // Columns are divided among threads, so that every sum has a fixed order.
            pool.split(columns) { range, _ in
                for (row, index) in indices.enumerated() {
                    precondition(index >= 0 && Int(index) < rows, "a row is past the table")
                    kernels.add_f32(
                        table + Int(index) * columns + range.lowerBound,
                        gradient + row * columns + range.lowerBound, range.count)
                }
            }
        }
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
        let minimum = (panels + 11) / 12
        let shapes = (minimum..<minimum + threads).map { across in
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
}
