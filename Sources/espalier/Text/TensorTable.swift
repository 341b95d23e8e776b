import Console
import ModelFiles
import Pipeline

extension TensorDescription {
    /// The tensors as text for people.
    ///
    /// Names are escaped, because a file may contain any name.
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
