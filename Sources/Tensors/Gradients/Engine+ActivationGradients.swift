import CKernels

/// Activation functions in training, and their gradients.
extension Engine {
    /// Applies an activation function to the output of a layer, `y = f(x)`.
    ///
    /// For a gated function, the first half of each row of x is the output of the gate projection,
    /// and the second half is the output of the up projection.
    ///
    /// - Precondition: The function is not ``Epilogue/store`` or ``Epilogue/add``.
    public func activate(_ x: Activations, _ function: Epilogue, into y: inout Activations) {
        let (rows, columns, width) = (x.rows, x.columns, function.width(of: x.columns))
        y.reshape(rows: rows, columns: width)
        withPointers(writing: &y.storage, reading: x.storage) { y, x in
            splitRows(rows) { rows in
                for row in rows {
                    kernels.activate_f32(
                        x + row * columns, width, function.kernel, y + row * width)
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
        precondition(
            gradient.rows == rows && gradient.columns == width,
            "the gradient must have the shape of y")
        result.reshape(rows: rows, columns: columns)
        withPointers(
            writing: &result.storage, reading: x.storage, gradient.storage
        ) { result, x, gradient in
            splitRows(rows) { rows in
                for row in rows {
                    kernels.differentiate_f32(
                        x + row * columns, gradient + row * width, width, function.kernel,
                        result + row * columns)
                }
            }
        }
    }
}

extension Epilogue {
    fileprivate func width(of columns: Int) -> Int {
        precondition(self != .store && self != .add, "store and add are not activation functions")
        return isGated ? columns / 2 : columns
    }
}
