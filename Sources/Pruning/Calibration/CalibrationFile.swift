public import ModelFiles
public import Tensors
public import Transformers

/// The second moments of a calibration on disk, which are read one component at a time.
///
/// They are stored in f32, which halves the file. The relative rounding error, about 1e-7, is far
/// below the damping and the sampling error. All later arithmetic is f64.
public struct CalibrationFile: Sendable {
    private let file: SafetensorsFile

    /// Opens a file that ``write(_:to:progress:)`` made.
    public init(path: String) throws(ModelFileError) {
        file = try SafetensorsFile(path: path)
    }

    /// Runs the text through all layers, and writes the moments after each layer.
    ///
    /// - Parameters:
    ///   - calibration: A calibration that has not run any layer.
    ///   - path: The file.
    ///   - progress: Called with the number of finished layers, including fractions of a layer; may
    ///     throw to stop.
    /// - Throws: Errors of calibrating and writing. No file is left behind then.
    public static func write(
        _ calibration: Calibration, to path: String,
        progress: (Double) throws -> Void = { _ in }
    ) throws {
        let shape = calibration.shape
        let components = shape.components.sorted()
        let names = Dictionary(uniqueKeysWithValues: components.map { (name($0), $0) })
        let entries = components.map { component in
            let columns = shape.units(of: component) * shape.unitSize(of: component) + 1
            return SafetensorsWriter.Entry(name: name(component), shape: [columns, columns])
        }
        func next() throws -> [Component: Matrix<Double>]? {
            let done = Double(calibration.blockInfluence.count)
            return try calibration.next { try progress(done + $0) }
        }
        var moments: [Component: Matrix<Double>] = [:]
        try SafetensorsWriter.write(entries, to: path, metadata: ["format": "espalier"]) { entry in
            guard let component = names[entry.name] else { return [] }
            while moments[component] == nil, let more = try next() { moments = more }
            return moments.removeValue(forKey: component)?.elements.map { Float($0) } ?? []
        }
        while try next() != nil {}
    }

    /// The mean of `x xᵀ` of a component, `[columns, columns]`.
    ///
    /// If `withOnes` is true, the last element of `x` is the constant 1.
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
        // The number is padded, so that names sort in the order of the layers.
        "layer.\(component.layer.padded(to: 4)).\(component.kind.rawValue)"
    }
}
