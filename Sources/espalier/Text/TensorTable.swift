import CommandLine
import ModelFiles
import Pipeline

extension TensorDescription {
    /// The tensors as people read them; names are escaped, for a file may put anything there.
    static func table(of tensors: [TensorDescription]) -> String {
        var table = Table("tensor", "type", "shape")
        for tensor in tensors {
            let name = tensor.name.unicodeScalars.map { $0.escaped(asASCII: false) }.joined()
            let shape = tensor.shape.map(String.init).joined(separator: " × ")
            table.add(name, tensor.type, shape.isEmpty ? "scalar" : shape)
        }
        return table.rendered()
    }
}
