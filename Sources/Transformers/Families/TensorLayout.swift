internal import ModelFiles

/// What tensors of a family are called in a file.
struct TensorLayout: Sendable {
    /// The prefixes that files have, in the order in which they are tried.
    private let prefixes: [String]
    private let prefixed: @Sendable (String) -> TensorNames

    /// Creates a layout.
    ///
    /// - Parameters:
    ///   - prefixes: What names of tensors may begin with, in the order in which files are tried. The
    ///     last prefix is taken where none fits.
    ///   - names: The names with a prefix.
    init(prefixes: [String], _ names: @escaping @Sendable (String) -> TensorNames) {
        self.prefixes = prefixes
        prefixed = names
    }

    /// The names with the last prefix.
    var names: TensorNames { prefixed(prefixes[prefixes.count - 1]) }

    /// The names of a model's body, which has no head: those with the shortest prefix.
    var bodyNames: TensorNames { prefixed(prefixes.min { $0.count < $1.count } ?? "") }

    /// The names with a prefix.
    func names(prefix: String) -> TensorNames { prefixed(prefix) }

    /// The names that a file has.
    func names(in file: any TensorFile) -> TensorNames {
        prefixes.lazy.map(prefixed).first { file.has($0.tokens + ".weight") } ?? names
    }
}
