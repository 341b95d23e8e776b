public import ModelFiles
public import Tensors
public import Transformers

/// The second moments of a calibration on disk, read one component at a time.
///
/// Stored in f32: rounding changes them by parts in ten million, far below their damping and
/// their own sampling error, and halves the file. All later arithmetic is f64.
public struct CalibrationFile: Sendable {
    private let file: SafetensorsFile

    /// Opens a file that ``write(_:to:)`` made.
    public init(path: String) throws(ModelFileError) {
        file = try SafetensorsFile(path: path)
    }

    /// Writes everything collected, and forgets it, so that only one copy is in memory.
    public static func write(_ calibration: Calibration, to path: String) throws {
        let components = calibration.components
        let names = Dictionary(uniqueKeysWithValues: components.map { (name($0), $0) })
        let entries = components.map { component in
            let columns = calibration.columns(of: component)
            return SafetensorsWriter.Entry(name: name(component), shape: [columns, columns])
        }
        try SafetensorsWriter.write(entries, to: path, metadata: ["format": "espalier"]) { entry in
            names[entry.name].flatMap { calibration.takeHessian(of: $0) }?
                .elements.map { Float($0) } ?? []
        }
    }

    /// The mean of `x xᵀ` of a component, `[columns, columns]`.
    public func hessian(of component: Component) throws(ModelFileError) -> Matrix<Double> {
        let stored = try file.matrix(Self.name(component))
        return Matrix(
            rows: stored.rows, columns: stored.columns, elements: stored.elements.map(Double.init))
    }

    private static func name(_ component: Component) -> String {
        "layer.\(component.layer).\(component.kind.rawValue)"
    }
}
