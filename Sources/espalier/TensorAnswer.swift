import CommandLine
import ModelFiles

/// A tensor of a file: its name, type and sizes, the slowest-varying first.
struct TensorAnswer: Encodable {
    private let name: String
    private let type: String
    private let shape: [Int]

    /// The tensors of a file, by name.
    static func all(in file: any TensorFile) -> [TensorAnswer] {
        file.names.map { name in
            TensorAnswer(
                name: name, type: file.storedType(of: name)?.name ?? "",
                shape: file.shape(of: name) ?? [])
        }
    }

    /// The tensors as people read them; names are escaped, for a file may put anything there.
    static func table(of tensors: [TensorAnswer]) -> String {
        var table = Table("tensor", "type", "shape")
        for tensor in tensors {
            let name = tensor.name.unicodeScalars.map { $0.escaped(asASCII: false) }.joined()
            let shape = tensor.shape.map(String.init).joined(separator: " × ")
            table.add(name, tensor.type, shape.isEmpty ? "scalar" : shape)
        }
        return table.rendered()
    }
}
