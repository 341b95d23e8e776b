internal import Foundation
public import ModelFiles
public import Transformers

/// ONNX models of many shapes, for timing only, that share one file of random weights.
public struct ONNXStandIns {
    private let directory: String
    private let names: TensorNames

    /// Writes the weights of the dense model, of which smaller ones use parts.
    ///
    /// - Parameters:
    ///   - dense: The sizes of the dense model.
    ///   - directory: Where the files go.
    /// - Throws: `ModelFileError` where they cannot be written.
    public init(_ dense: ModelShape, in directory: String) throws {
        self.directory = directory
        let family = Family(of: dense.architecture)
        names = family.tensorNames
        try WeightsFile.write(
            RandomWeights(shape: dense), names: names, of: family, to: directory)
    }

    /// Writes a graph.
    ///
    /// - Parameter shape: Sizes that the dense model has or exceeds.
    /// - Returns: The graph's path.
    /// - Throws: `ModelFileError` where it cannot be written.
    public func write(_ shape: ModelShape) throws(ModelFileError) -> String {
        let name = UUID().uuidString + ".onnx"
        try ONNXModel.write(shape, in: directory, names: names, as: name)
        return directory + "/" + name
    }
}
