internal import ModelFiles
internal import Tensors

/// The file with the matrices in 4 bits, in the layout of the operator `MatMulNBits`.
///
/// Codes and scales have separate tensors. Byte i of a row's codes has the code of column 2i in its
/// lower half and the code of column 2i + 1 in its upper half. Scales are f32.
struct ONNXBlocks {
    /// The name of the file in the directory of the graph.
    let fileName: String
    /// The tensors in the order of the file.
    private var matrices: [(name: String, rows: Int, columns: Int)] = []
    private var byteCount = 0

    init(fileName: String) { self.fileName = fileName }

    /// Adds a matrix.
    ///
    /// - Parameters:
    ///   - name: The name of the tensor.
    ///   - rows: The number of rows.
    ///   - columns: The number of columns, which fill groups.
    /// - Returns: The places of the codes and the scales.
    mutating func add(
        _ name: String, rows: Int, columns: Int
    ) -> (codes: ONNXGraph.Place, scales: ONNXGraph.Place) {
        matrices.append((name, rows, columns))
        let groups = rows * columns / Int4Matrix.group
        return (place(rows * columns / 2), place(groups * MemoryLayout<Float>.size))
    }

    private mutating func place(_ length: Int) -> ONNXGraph.Place {
        defer { byteCount += length }
        return ONNXGraph.Place(file: fileName, offset: byteCount, length: length)
    }

    /// Writes the file, with one matrix in memory at a time.
    ///
    /// There is no file if there is no matrix.
    ///
    /// - Parameters:
    ///   - tensors: The tensors of the model.
    ///   - directory: The directory for the file.
    /// - Throws: `ModelFileError` if a tensor cannot be read or the file cannot be written.
    func write(from tensors: IntegerTensors, to directory: String) throws(ModelFileError) {
        guard !matrices.isEmpty else { return }
        let file = try AtomicFile(directory + "/" + fileName)
        for (name, rows, columns) in matrices {
            let matrix = CodedMatrix(
                Int4Matrix(rows: rows, columns: columns, blocks: try tensors.storedBytes(name)))
            try file.append(matrix.pairs)
            try file.append(DType.f32.bytes(from: matrix.scales.span))
        }
        try file.commit()
    }
}

extension CodedMatrix {
    /// The codes of 4 bits, two neighbours in a byte.
    fileprivate var pairs: [UInt8] {
        stride(from: 0, to: codes.count, by: 2).map { codes[$0] | codes[$0 + 1] << 4 }
    }
}
