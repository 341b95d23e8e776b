public import Transformers

/// A layer that cannot be pruned as requested.
public enum SurgeonError: Error, Equatable, CustomStringConvertible {
    /// The Hessian is not square with one row for every column of the weight.
    case hessianShape(rows: Int, columns: Int, weightColumns: Int)
    /// The number of weight columns is not a multiple of the unit size.
    case unitSize(Int, columns: Int)
    /// The residual stream is not finite after a layer.
    case streamNotFinite(layer: Int)
    /// The second moments of a component's inputs are not finite.
    case momentsNotFinite(Component)
    /// The divergence of a model with a changed layer is not finite.
    case divergenceNotFinite(layer: Int)
    /// The weight has a value that is not finite.
    case weightNotFinite(row: Int, column: Int)
    /// The Hessian has a negative or infinite value on its diagonal.
    case hessianDiagonal(column: Int, value: Double)
    /// The damped Hessian, or a block of its inverse, has no Cholesky factor.
    case notPositiveDefinite(row: Int)
    /// A requested unit does not exist in the layer.
    case unknownUnit(Int, units: Int)

    /// The problem with the values found, and a remedy.
    public var description: String {
        switch self {
        case .hessianShape(let rows, let columns, let weightColumns):
            "Hessian is \(rows)×\(columns), but the weight has \(weightColumns) columns"
        case .unitSize(let size, let columns):
            "\(columns) weight columns are not a whole number of units of \(size)"
        case .streamNotFinite(let layer):
            "the residual stream after layer \(layer) holds NaN or infinity; the checkpoint is "
                + "damaged"
        case .momentsNotFinite(let component):
            "the Hessian of \(component.kind.rawValue) of layer \(component.layer) holds NaN or "
                + "infinity; the checkpoint's activations overflow"
        case .divergenceNotFinite(let layer):
            "with layer \(layer) changed, the model's output holds NaN or infinity; the "
                + "checkpoint's activations overflow"
        case .weightNotFinite(let row, let column):
            "weight [\(row), \(column)] is not finite; the checkpoint is damaged"
        case .hessianDiagonal(let column, let value):
            "Hessian diagonal \(column) is \(value); the calibration activations overflow"
        case .notPositiveDefinite(let row):
            "damped Hessian is not positive definite at row \(row); use a larger --damping, "
                + "with --restart"
        case .unknownUnit(let unit, let units):
            "there is no unit \(unit) in a layer of \(units)"
        }
    }
}
