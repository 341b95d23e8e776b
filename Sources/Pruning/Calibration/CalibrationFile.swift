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

    /// The mean of `x xᵀ` of a component, `[columns, columns]`, one more where x ends in 1.
    public func hessian(
        of component: Component, withOnes: Bool
    ) throws(ModelFileError) -> Matrix<Double> {
        let stored = try file.matrix(Self.name(component))
        let size = withOnes ? stored.columns : max(0, stored.columns - 1)
        return Matrix(
            rows: size, columns: size,
            elements: (0..<size).flatMap { stored.row($0).prefix(size).map(Double.init) })
    }

    /// The means of a component's inputs.
    func means(of component: Component) throws(ModelFileError) -> [Double] {
        let stored = try file.matrix(Self.name(component))
        return stored.row(stored.rows - 1).dropLast().map(Double.init)
    }

    private static func name(_ component: Component) -> String {
        "layer.\(component.layer).\(component.kind.rawValue)"
    }
}
