internal import Tensors

/// A file whose matrices may be stored as integers with scales.
///
/// A matrix of signed bytes has a second tensor, whose name ends in `_scale`, with one float for
/// each row. An element is its integer times the scale of its row. A matrix of unsigned bytes has
/// the blocks of the stored type `q40`. Other files of the same type of
/// tensor are not recognised, so this is used only if a configuration says so.
public struct IntegerTensors: TensorFile {
    private let base: any TensorFile

    /// The end of the name of a tensor of scales.
    public static let scaleSuffix = "_scale"

    /// Reads the matrices of a file.
    public init(_ base: any TensorFile) { self.base = base }

    /// The path of the file.
    public var path: String { base.path }

    /// The names of all tensors except the tensors of scales, sorted.
    public var names: [String] { base.names.filter { !isScale($0) } }

    /// Returns the location of a tensor, with the location of its scales if it has scales.
    public func tensor(named name: String) -> StoredTensor? {
        guard !isScale(name), var tensor = base.tensor(named: name) else { return nil }
        guard tensor.shape.count == 2 else { return tensor }
        let (rows, width) = (tensor.shape[0], tensor.shape[1])
        let blocks = DType.q40
        if tensor.type.numbers == .u8, width % blocks.bytesPerBlock == 0 {
            return StoredTensor(
                file: tensor.file, type: StoredType(blocks),
                shape: [rows, width / blocks.bytesPerBlock * blocks.blockSize],
                bytes: tensor.bytes)
        }
        guard tensor.type.numbers == .i8,
            let scales = base.tensor(named: name + Self.scaleSuffix),
            scales.type.numbers == .f32, scales.shape == [rows]
        else { return tensor }
        tensor.rowScales = [scales]
        return tensor
    }

    private func isScale(_ name: String) -> Bool {
        name.hasSuffix(Self.scaleSuffix)
            && base.tensor(named: String(name.dropLast(Self.scaleSuffix.count))) != nil
    }
}
