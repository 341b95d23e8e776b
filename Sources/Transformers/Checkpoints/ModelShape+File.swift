internal import Foundation
public import ModelFiles

extension ModelShape {
    /// Reads the sizes of a model, whose weights need not be there.
    ///
    /// - Parameter path: A Hugging Face directory with or without weights, a `config.json`, or a
    ///   `.gguf` file.
    /// - Throws: `ModelFileError` where it is damaged or of an unknown kind.
    public init(contentsOf path: String) throws(ModelFileError) {
        let weights = ["", "/model.safetensors", "/model.safetensors.index.json"]
        let hasWeights = weights.contains { name in
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: path + name, isDirectory: &isDirectory)
            return exists && !isDirectory.boolValue
        }
        if hasWeights && !path.hasSuffix(".json") {
            self = try Checkpoint(path).shape
        } else {
            let config = try HuggingFaceConfig(path: path)
            try config.checkActivation()
            self.init(config, hasHead: true)
        }
    }

    /// The number of weights of a model of this shape, with embeddings, norms and the biases that
    /// its architecture always has; a pooler and optional biases are not counted.
    public var parameters: Int {
        let isEncoder = architecture.isEncoder
        let bias = architecture.hasBiases ? 1 : 0
        let norm = (1 + bias) * hiddenSize
        func projection(_ inputs: Int, _ outputs: Int) -> Int { (inputs + bias) * outputs }
        var total = vocabularySize * hiddenSize + norm
        if !architecture.isRotary { total += maximumPositions * hiddenSize }
        if isEncoder {
            total += 2 * hiddenSize
        } else if !tiedHead {
            total += vocabularySize * hiddenSize
        }
        for layer in layers {
            let queries = layer.queryHeads * headDimension
            if queries > 0 {
                total += projection(hiddenSize, queries) + projection(queries, hiddenSize)
                total += 2 * projection(hiddenSize, layer.keyValueHeads * headDimension)
            }
            if layer.feedForward > 0 {
                total += (architecture.isGated ? 2 : 1) * projection(hiddenSize, layer.feedForward)
                total += projection(layer.feedForward, hiddenSize)
            }
            total +=
                (queries > 0 || isEncoder ? norm : 0)
                + (layer.feedForward > 0 || isEncoder ? norm : 0)
        }
        return total
    }
}
