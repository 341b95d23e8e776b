import CommandLine
import ModelFiles
import Tensors

/// A tensor of a file: its name, type and sizes, the slowest-varying first.
struct TensorAnswer: Encodable {
    private let name: String
    private let type: String
    private let shape: [Int]

    /// The tensors of a file, by name.
    static func all(in file: any TensorFile) -> [TensorAnswer] {
        file.names.map { name in
            let type: DType? =
                switch file {
                case let file as GGUFFile: file.type(of: name)
                case let file as SafetensorsFile: file.type(of: name)
                default: nil
                }
            return TensorAnswer(
                name: name, type: type?.rawValue ?? "", shape: file.shape(of: name) ?? [])
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
