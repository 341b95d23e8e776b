internal import Foundation
public import ModelFiles
public import Transformers

/// ONNX models of many shapes, for timing only, that share one file of random weights.
public struct ONNXStandIns {
    private let directory: String
    private let names: TensorNames

    /// Writes random weights for the dense model; smaller models use parts of them.
    ///
    /// - Parameters:
    ///   - dense: The sizes of the dense model.
    ///   - directory: The directory for the files.
    /// - Throws: `ModelFileError` if the files cannot be written.
    public init(_ dense: ModelShape, in directory: String) throws {
        self.directory = directory
        let family = Family(of: dense.architecture)
        names = family.tensorNames
        try WeightsFile.write(
            RandomWeights(shape: dense), names: names, of: family, to: directory)
    }

    /// Writes a graph.
    ///
    /// - Parameter shape: Sizes that are at most those of the dense model.
    /// - Returns: The graph's path.
    /// - Throws: `ModelFileError` if the graph cannot be written.
    public func write(_ shape: ModelShape) throws(ModelFileError) -> String {
        let name = UUID().uuidString + ".onnx"
        try ONNXModel.write(shape, in: directory, names: names, as: name)
        return directory + "/" + name
    }
}
