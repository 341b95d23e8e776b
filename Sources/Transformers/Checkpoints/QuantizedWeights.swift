internal import ModelFiles

/// Recognises weights that other programs have quantised, which are not supported.
enum QuantizedWeights {
    /// Refuses a configuration of weights that another program has quantised.
    static func refuse(_ fields: ConfigFields) throws(ModelFileError) {
        for name in [Formats.member, "compression_config"] {
            guard let scheme = try fields.object(name), try !Formats.describes(scheme) else {
                continue
            }
            let method = try scheme.string("quant_method").map { " by \($0)" } ?? ""
            throw fields.fault(
                name, "the weights are quantised\(method), which is not supported", remedy: remedy)
        }
    }

    /// The kind of quantised weights to which a tensor belongs, by its name; nil for other names.
    ///
    /// - Parameter name: The tensor's name.
    /// - Returns: The kind, for error messages.
    static func kind(of name: String) -> String? {
        suffixes.first { name.hasSuffix($0.suffix) }?.kind
    }

    /// What to do instead, for error messages.
    static let remedy =
        "use the original model in F32, F16 or BF16, or a GGUF file of it"

    private static let suffixes: [(suffix: String, kind: String)] = [
        (".qweight", "GPTQ or AWQ"), (".qzeros", "GPTQ or AWQ"),
        (".g_idx", "GPTQ"), (".weight_packed", "compressed-tensors"),
        (".absmax", "bitsandbytes (4 bits)"), (".quant_map", "bitsandbytes (4 bits)"),
        (".SCB", "bitsandbytes (8 bits)"), (".weight_scale", "scaled 8-bit"),
        (".weight_scale_inv", "scaled 8-bit"), (".input_scale", "scaled 8-bit"),
        ("_blocks", "MXFP4"), (".scales", "quantised"),
    ]
}
