internal import ModelFiles

/// A file whose norms have TensorFlow's names `gamma` and `beta` for weight and bias.
///
/// Google's BERT models have these names.
struct RenamedTensors: TensorFile {
    let base: any TensorFile
    /// The names in the file of the renamed tensors, keyed by their new names.
    private let stored: [String: String]

    /// Renames the norms of a file; nil if the file has no such names.
    init?(_ base: any TensorFile) {
        self.base = base
        var stored: [String: String] = [:]
        for name in base.names {
            for (old, new) in [(".gamma", ".weight"), (".beta", ".bias")] where name.hasSuffix(old)
            {
                let renamed = name.dropLast(old.count) + new
                if !base.has(String(renamed)) { stored[String(renamed)] = name }
            }
        }
        guard !stored.isEmpty else { return nil }
        self.stored = stored
    }

    var path: String { base.path }

    var names: [String] {
        let old = Set(stored.values)
        return (base.names.filter { !old.contains($0) } + stored.keys).sorted()
    }

    func tensor(named name: String) -> StoredTensor? {
        base.tensor(named: stored[name] ?? name)
    }
}
