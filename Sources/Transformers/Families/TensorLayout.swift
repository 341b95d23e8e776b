internal import ModelFiles

/// The names of the tensors of a family's models in files.
struct TensorLayout: Sendable {
    /// The possible prefixes of names, in the order in which they are tried.
    private let prefixes: [String]
    private let prefixed: @Sendable (String) -> TensorNames

    /// Creates a layout.
    ///
    /// - Parameters:
    ///   - prefixes: The possible prefixes of names, in the order in which they are tried. If none
    ///     fits a file, the last one is used.
    ///   - names: Returns the names with a prefix.
    init(prefixes: [String], _ names: @escaping @Sendable (String) -> TensorNames) {
        self.prefixes = prefixes
        prefixed = names
    }

    /// The names with the last prefix.
    var names: TensorNames { prefixed(prefixes[prefixes.count - 1]) }

    /// The names of a model without a head, which have the shortest prefix.
    var bodyNames: TensorNames { prefixed(prefixes.min { $0.count < $1.count } ?? "") }

    /// The names with a prefix.
    func names(prefix: String) -> TensorNames { prefixed(prefix) }

    /// The names with the first prefix that fits a file.
    func names(in file: any TensorFile) -> TensorNames {
        prefixes.lazy.map(prefixed).first { file.has($0.tokens + ".weight") } ?? names
    }
}
