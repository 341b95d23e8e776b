public import ModelFiles
internal import Tensors

/// The formats of a model's matrices in `config.json`.
///
/// They are in the field by which `transformers` and other programs recognise quantised weights. As
/// `transformers` only warns of an unknown method, the weights are in a file that it does not read;
/// see `SafetensorsFile.name(withFormats:)`.
extension Formats {
    /// The member of `config.json`.
    public static let member = "quantization_config"

    private static let method = "espalier"

    /// Whether a member describes formats of this kind.
    static func describes(_ scheme: ConfigFields) throws(ModelFileError) -> Bool {
        try scheme.string("quant_method") == method
    }

    /// Reads the formats; nil if the configuration has none.
    ///
    /// - Parameters:
    ///   - fields: The members of `config.json`.
    ///   - layers: The number of layers.
    /// - Throws: `ModelFileError` that names the first member with a fault.
    init?(_ fields: ConfigFields, layers: Int) throws(ModelFileError) {
        guard let scheme = try fields.object(Self.member), try Self.describes(scheme) else {
            return nil
        }
        func format(_ value: JSONValue?, _ name: String) throws(ModelFileError) -> Precision {
            guard let text = value?.string, let format = Precision(rawValue: text) else {
                let known = Precision.allCases.map(\.rawValue).joined(separator: ", ")
                throw scheme.fault(
                    name, "a format is not one of \(known)",
                    remedy: "prune the model again, or export it with the version that wrote it")
            }
            return format
        }
        func list(_ name: String) throws(ModelFileError) -> [Precision] {
            guard let values = scheme.value(name)?.array, values.count == layers else {
                throw scheme.fault(name, "it is not a list of \(layers) formats, one for a layer")
            }
            var formats: [Precision] = []
            for value in values { formats.append(try format(value, name)) }
            return formats
        }
        let (attention, feedForward) = (try list("attention"), try list("feed_forward"))
        self.init(
            layers: zip(attention, feedForward).map { Layer(attention: $0, feedForward: $1) },
            head: try format(scheme.value("head"), "head"))
    }

    /// The members of `config.json` for a model with these formats.
    public var members: [JSONKey: JSONValue] {
        func list(_ formats: [Precision]) -> JSONValue {
            .array(formats.map { .string($0.rawValue) })
        }
        return [
            JSONKey(Self.member): .object([
                "quant_method": .string(Self.method), "head": .string(head.rawValue),
                "attention": list(layers.map(\.attention)),
                "feed_forward": list(layers.map(\.feedForward)),
            ])
        ]
    }
}
