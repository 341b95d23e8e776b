internal import ModelFiles
internal import Transformers

/// The safetensors file of a model's weights, read and written a layer at a time.
enum WeightsFile {
    /// The file's name in a model's directory.
    static let name = "model.safetensors"

    /// Writes all weights of a model.
    ///
    /// - Parameters:
    ///   - weights: Read twice: for the header, and for the elements.
    ///   - names: What the tensors are called.
    ///   - others: Further tensors.
    ///   - directory: Where the file goes.
    ///   - progress: Called before each tensor is written; may throw to stop.
    /// - Throws: What reading the weights or writing the file throws.
    static func write(
        _ weights: some WeightSource, names: TensorNames, others: [NamedTensor] = [],
        to directory: String, progress: () throws -> Void = {}
    ) throws {
        let outer =
            names.tensors(of: try weights.embeddings()) + names.tensors(of: try weights.head())
            + others
        var entries = outer.map { SafetensorsWriter.Entry(name: $0.name, shape: $0.shape) }
        var layerOf: [String: Int] = [:]
        for index in weights.shape.layers.indices {
            for tensor in names.tensors(of: try weights.layer(index), at: index) {
                entries.append(SafetensorsWriter.Entry(name: tensor.name, shape: tensor.shape))
                layerOf[tensor.name] = index
            }
        }
        var loaded: (index: Int, tensors: [NamedTensor])?
        try SafetensorsWriter.write(entries, to: "\(directory)/\(name)") { entry in
            try progress()
            guard let index = layerOf[entry.name] else {
                return outer.first { $0.name == entry.name }?.elements ?? []
            }
            if loaded?.index != index {
                loaded = (index, names.tensors(of: try weights.layer(index), at: index))
            }
            return loaded?.tensors.first { $0.name == entry.name }?.elements ?? []
        }
    }
}
