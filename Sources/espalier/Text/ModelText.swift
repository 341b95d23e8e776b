import Console
import Reporting
import Transformers

/// The sizes of a model as text, and the format of each matrix if the file names formats.
///
/// Adjacent layers with equal sizes and formats share a row.
struct ModelText {
    private let shape: ModelShape
    private let formats: Formats?

    init(_ shape: ModelShape, formats: Formats? = nil) {
        (self.shape, self.formats) = (shape, formats)
    }

    var full: String {
        let kind = shape.architecture.isEncoder ? "encoder" : "decoder"
        let head =
            shape.architecture.isEncoder ? "none" : shape.tiedHead ? "the embedding" : "its own"
        return """
            Architecture  \(shape.architecture.name), \(kind)
            Parameters    \(Figures.shortCount(shape.parameters)) (\(shape.parameters))
            Hidden size   \(shape.hiddenSize), heads of \(shape.headDimension)
            Vocabulary    \(shape.vocabularySize), output head: \(head)\(headFormat)
            Positions     \(shape.maximumPositions)

            \(layers)
            """
    }

    private var layers: String {
        var table = Table(
            titles: ["layers", "query heads", "key-value heads", "feed-forward"]
                + (formats == nil ? [] : ["formats"]))
        var first = 0
        while first < shape.layers.count {
            let (layer, format) = (shape.layers[first], formats?.layers[first])
            let count = shape.layers[first...].indices.prefix {
                shape.layers[$0] == layer && formats?.layers[$0] == format
            }.count
            let name = count == 1 ? "\(first)" : "\(first)–\(first + count - 1)"
            let sizes = [layer.queryHeads, layer.keyValueHeads, layer.feedForward].map(String.init)
            let names = format.map { "\($0.attention.rawValue), \($0.feedForward.rawValue)" }
            table.add(row: [name] + sizes + [names].compactMap(\.self))
            first += count
        }
        return table.rendered()
    }

    private var headFormat: String {
        formats.map { shape.architecture.isEncoder ? "" : ", in \($0.head.rawValue)" } ?? ""
    }
}
