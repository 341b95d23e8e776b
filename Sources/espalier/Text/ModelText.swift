import Console
import Reporting
import Transformers

/// The sizes of a model as text for people; adjacent layers with equal sizes share a row.
struct ModelText {
    private let shape: ModelShape

    init(_ shape: ModelShape) {
        self.shape = shape
    }

    var full: String {
        let kind = shape.architecture.isEncoder ? "encoder" : "decoder"
        let head =
            shape.architecture.isEncoder ? "none" : shape.tiedHead ? "the embedding" : "its own"
        return """
            Architecture  \(shape.architecture.name), \(kind)
            Parameters    \(Figures.shortCount(shape.parameters)) (\(shape.parameters))
            Hidden size   \(shape.hiddenSize), heads of \(shape.headDimension)
            Vocabulary    \(shape.vocabularySize), output head: \(head)
            Positions     \(shape.maximumPositions)

            \(layers)
            """
    }

    private var layers: String {
        var table = Table("layers", "query heads", "key-value heads", "feed-forward")
        var first = 0
        while first < shape.layers.count {
            let layer = shape.layers[first]
            let count = shape.layers[first...].prefix { $0 == layer }.count
            let name = count == 1 ? "\(first)" : "\(first)–\(first + count - 1)"
            table.add(
                name, "\(layer.queryHeads)", "\(layer.keyValueHeads)", "\(layer.feedForward)")
            first += count
        }
        return table.rendered()
    }
}
