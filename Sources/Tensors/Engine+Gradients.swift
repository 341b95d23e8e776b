import CKernels

/// What gradients need beside ``linear(_:rows:_:into:firstRow:_:)``.
extension Engine {
    /// The gradient of a linear layer's weights, `c = aᵀ · b`, of the same value for any number of
    /// threads.
    ///
    /// - Parameters:
    ///   - a: Gradients by the layer's outputs, `[tokens, outputs]`.
    ///   - b: The layer's inputs, `[tokens, inputs]`; some thousand tokens at most.
    ///   - c: Shape `[outputs, inputs]`.
    /// - Complexity: O(tokens · outputs · inputs)
    public func transposedProduct(
        _ a: Activations, _ b: Activations, into c: inout Matrix<Float>
    ) {
        precondition(a.rows == b.rows, "rows of a transposed product")
        precondition(c.rows == a.columns && c.columns == b.columns, "shape of the product")
        let (rows, outputs, inputs) = (b.rows, a.columns, b.columns)
        precondition(rows > 0, "a product of no rows")
        a.storage.withUnsafeBufferPointer { a in
            b.storage.withUnsafeBufferPointer { b in
                c.elements.withUnsafeMutableBufferPointer { c in
                    let c = c
                    c.update(repeating: 0)
                    shareColumns(inputs) { range, scratch in
                        kernels.transposed_product_f32(
                            a.baseAddress!, rows, outputs, b.baseAddress!, inputs,
                            range.lowerBound, range.upperBound, c.baseAddress!, scratch)
                    }
                }
            }
        }
    }

    /// Applies an activation to what a layer gave, `y = f(x)`; for ``Epilogue/swiglu`` the first
    /// half of each row of x are gates, the second half what they let pass.
    ///
    /// - Precondition: Not ``Epilogue/store`` or ``Epilogue/add``, which are no functions.
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

    /// The gradient by the x of ``activate(_:_:into:)``, given that by its y.
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

extension Epilogue {
    fileprivate func width(of columns: Int) -> Int {
        precondition(self != .store && self != .add, "no activation function")
        return self == .swiglu ? columns / 2 : columns
    }
}
