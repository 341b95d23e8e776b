internal import Transformers

extension ModelShape {
    /// The main sizes of a model, such as `llama, 30 layers, hidden size 576`.
    var summary: String {
        "\(architecture.name), \(layers.count) layers, hidden size \(hiddenSize)"
    }

    /// Lists the sizes that differ from another model, such as `hidden size 64 instead of 128`.
    ///
    /// Of the layers, it lists only the first one that differs.
    func differences(from other: ModelShape) -> String {
        let values = zip(Mirror(reflecting: self).children, Mirror(reflecting: other).children)
        var differences = values.compactMap { mine, its -> String? in
            let (mine, its, label) = (Self.text(mine.value), Self.text(its.value), mine.label ?? "")
            guard label != "layers", mine != its else { return nil }
            return "\(Self.words(label)) \(mine) instead of \(its)"
        }
        if layers.count != other.layers.count {
            differences.append("\(layers.count) layers instead of \(other.layers.count)")
        }
        let shared = layers.indices.prefix(other.layers.count)
        if let index = shared.first(where: { layers[$0] != other.layers[$0] }) {
            differences.append(
                "layer \(index + 1) with \(sizes(of: index)) instead of \(other.sizes(of: index))")
        }
        return differences.joined(separator: ", ")
    }

    private func sizes(of index: Int) -> String {
        let layer = layers[index]
        return "\(layer.queryHeads) query heads, \(layer.keyValueHeads) key-value heads and "
            + "\(layer.feedForward) neurons"
    }

    private static func text(_ value: Any) -> String {
        let value = "\(value)"
        return value == "nil" ? "none" : value
    }

    /// Splits an identifier into words, such as `hidden size` for `hiddenSize`.
    private static func words(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? " " + $1.lowercased() : String($1) }
    }
}
