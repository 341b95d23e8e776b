internal import Tensors
public import Transformers

/// The weights of a source, each rounded to the format in which the model stores and multiplies it.
///
/// A model has the same values before it is written and after it is read.
public struct FormattedWeights<Base: WeightSource>: WeightSource {
    private let base: Base
    /// The format of each matrix.
    public let formats: Formats

    /// Rounds the weights of a source when they are read.
    public init(_ base: Base, formats: Formats) {
        (self.base, self.formats) = (base, formats)
    }

    /// The sizes of the model.
    public var shape: ModelShape { base.shape }

    /// The pooling of an encoder.
    public var pooling: Pooling { base.pooling }

    /// The embeddings; the token embedding is rounded if it has a format.
    public func embeddings() throws -> EmbeddingWeights {
        var embeddings = try base.embeddings()
        if let format = formats.table(of: shape) { embeddings.tokens.round(to: format) }
        return embeddings
    }

    /// The final norm and the rounded output head.
    public func head() throws -> HeadWeights {
        var head = try base.head()
        head.output?.round(to: formats.head)
        return head
    }

    /// A layer with rounded matrices.
    public func layer(_ index: Int) throws -> LayerWeights {
        var layer = try base.layer(index)
        let formats = formats.layers[index]
        for path in [\AttentionWeights.query, \.key, \.value, \.output] {
            layer.attention?[keyPath: path].round(to: formats.attention)
        }
        for path in [\FeedForwardWeights.up, \.down] {
            layer.feedForward?[keyPath: path].round(to: formats.feedForward)
        }
        layer.feedForward?.gate?.round(to: formats.feedForward)
        return layer
    }

    /// The sizes of a layer.
    public func outline(_ index: Int) throws -> LayerWeights { try base.outline(index) }
}

extension Projection {
    /// Rounds the weight to a format.
    ///
    /// A weight whose inputs do not fill the groups of `int4` is rounded when it is packed.
    fileprivate mutating func round(to format: Precision) {
        guard format == .int4 else { return weight.round(to: format) }
        guard codes?.grid != .q40, weight.columns % Int4Matrix.group == 0 else { return }
        let rounded = Int4Matrix(rounding: weight, by: .leastSquares)
        self = Projection(codes: CodedMatrix(rounded), bias: bias)
    }
}

extension Matrix<Float> {
    /// Rounds each row to integers from -127 to 127 times a scale, if the format is of integers.
    ///
    /// Formats of floats round when they are written and when they are packed, to the same values.
    fileprivate mutating func round(to format: Precision) {
        if format == .int4 { self = Int4Matrix(rounding: self, by: .leastSquares).floats }
        guard format == .int8 else { return }
        let scales = byteScales
        self = Matrix(
            rows: rows, columns: columns,
            elements: zip(elements.indices, byteCodes(scales: scales)).map { index, code in
                code * scales[index / columns]
            })
    }

    /// The scale of each row in `int8`: the greatest magnitude of the row, divided by 127 and rounded
    /// up to an f16, or to 16 significant bits if it is too large for an f16.
    ///
    /// With so few bits, 127 times the scale is exact. So the rounded matrix has the same scales.
    var byteScales: [Float] {
        (0..<rows).map { index in
            let scale = row(index).reduce(0) { max($0, abs($1)) } / 127
            guard scale <= Self.largestHalf else {
                return Float(bitPattern: (scale.bitPattern + 0xff) & ~0xff)
            }
            // Multiples of 2⁻²⁴ that have 11 significant bits are f16 numbers.
            let step = max(scale.ulp * 0x1p13, 0x1p-24)
            return (scale / step).rounded(.up) * step
        }
    }

    /// The largest finite f16.
    private static var largestHalf: Float { 65504 }

    /// Whether all scales in `int8` are f16 numbers.
    var hasHalfScales: Bool { byteScales.allSatisfy { $0 <= Self.largestHalf } }

    /// The blocks of the stored type `q80` that have the integers and scales of `int8`.
    ///
    /// - Precondition: All scales are f16 numbers, and the columns fill blocks.
    var byteBlocks: [UInt8] {
        let (size, scales) = (DType.q80.blockSize, byteScales)
        let (codes, halves) = (byteCodes(scales: scales), DType.f16.bytes(from: scales.span))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(elements.count / size * DType.q80.bytesPerBlock)
        for first in stride(from: 0, to: elements.count, by: size) {
            let row = first / columns
            bytes += halves[2 * row..<2 * row + 2]
            for code in codes[first..<first + size] { bytes.append(UInt8(bitPattern: Int8(code))) }
        }
        return bytes
    }

    /// The integers of the elements in `int8`, as floats.
    func byteCodes(scales: [Float]) -> [Float] {
        elements.indices.map { index in
            let scale = scales[index / columns]
            guard scale > 0 else { return 0 }
            return min(max((elements[index] / scale).rounded(.toNearestOrEven), -127), 127)
        }
    }
}
