internal import ModelFiles
internal import Tensors

extension Trainer {
    /// Writes everything that training has changed, atomically.
    ///
    /// - Parameter path: A safetensors file of weights and moments.
    /// - Throws: `ModelFileError` if the file cannot be written.
    public mutating func writeState(to path: String) throws {
        var tensors = [Self.stepName: (shape: [1], elements: [Float(step)])]
        model.visit { name, parameter in
            let shape = [parameter.values.rows, parameter.values.columns]
            tensors[name] = (shape, parameter.values.elements)
            tensors[name + Self.meanSuffix] = (shape, parameter.adam.means)
            tensors[name + Self.squareSuffix] = (shape, parameter.adam.squares)
        }
        try SafetensorsWriter.write(
            tensors.map { SafetensorsWriter.Entry(name: $0.key, shape: $0.value.shape) },
            to: path
        ) { tensors[$0.name]?.elements ?? [] }
    }

    /// Reads the state that ``writeState(to:)`` wrote for the same training.
    ///
    /// The training then resumes with the same results.
    ///
    /// - Parameter path: The file.
    /// - Throws: `ModelFileError` if the file is damaged or belongs to another model.
    public mutating func readState(from path: String) throws {
        let file = try SafetensorsFile(path: path)
        let steps = try file.floats(Self.stepName, shape: [1])[0]
        guard steps >= 0, steps < 16_777_216, steps == steps.rounded() else {
            throw ModelFileError(
                file: path, subject: Self.stepName, problem: "\(steps) is not a number of steps",
                remedy: "delete the file to start the training again")
        }
        try model.visit { name, parameter in
            let (rows, columns) = (parameter.values.rows, parameter.values.columns)
            func read(_ name: String) throws -> [Float] {
                try file.matrix(name, rows: rows, columns: columns).elements
            }
            parameter.values.elements = try read(name)
            parameter.adam = Adam(
                means: try read(name + Self.meanSuffix),
                squares: try read(name + Self.squareSuffix), steps: Int(steps))
        }
        model.pack(on: pass.engine.pool)
        step = Int(steps)
    }

    /// The number of steps is stored as a float, which is exact below 2²⁴.
    private static let stepName = "step"
    private static let (meanSuffix, squareSuffix) = (".adam_mean", ".adam_square")
}
