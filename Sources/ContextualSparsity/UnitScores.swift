internal import Foundation
internal import Tensors
public import Transformers

/// The contribution of each unit of a decoder to the output of its component, for one token.
///
/// The contribution is the norm of the products of the unit's inputs with their columns of the
/// component's last projection. The columns are treated as orthogonal. A unit is a neuron or a
/// single query head, because keys and values are computed in any case.
///
/// Source of the criterion: Liu et al., "Deja Vu", arXiv 2310.17157, which uses the norm of a
/// head's output and the contribution of a neuron.
public struct UnitScores: Sendable {
    /// The norms of the columns of each component's last projection.
    private let norms: [Component: [Float]]
    private let headDimension: Int

    /// Reads the last projection of every component of a model.
    ///
    /// - Throws: Errors of reading the weights.
    public init(_ weights: some WeightSource) throws {
        var norms: [Component: [Float]] = [:]
        for index in weights.shape.layers.indices {
            let layer = try weights.layer(index)
            for kind in ComponentKind.allCases {
                guard let weight = layer.outputProjection(of: kind)?.weight else { continue }
                norms[Component(layer: index, kind: kind)] = Self.columnNorms(weight)
            }
        }
        self.norms = norms
        headDimension = weights.shape.headDimension
    }

    /// The number of columns of one unit.
    func unitSize(of component: Component) -> Int {
        component.kind == .attention ? headDimension : 1
    }

    /// The number of units of a component.
    func units(of component: Component) -> Int {
        (norms[component]?.count ?? 0) / unitSize(of: component)
    }

    /// The norms of the columns of a matrix.
    static func columnNorms(_ weight: Matrix<Float>) -> [Float] {
        var squares = [Float](repeating: 0, count: weight.columns)
        for row in 0..<weight.rows {
            for (column, value) in weight.row(row).enumerated() { squares[column] += value * value }
        }
        return squares.map { $0.squareRoot() }
    }

    /// The contribution of each head for each token, `[tokens, heads]`.
    static func headSizes(
        _ context: Activations, norms: [Float], headDimension: Int
    ) -> Activations {
        Activations(
            Matrix(
                rows: context.rows, columns: context.columns / headDimension,
                elements: (0..<context.rows).flatMap {
                    contributions(of: context.row($0), norms, unitSize: headDimension)
                }))
    }

    /// The contribution of each unit, from the inputs of one token and the norms of their columns.
    private static func contributions(
        of inputs: ArraySlice<Float>, _ norms: [Float], unitSize size: Int
    ) -> [Float] {
        let products = zip(inputs, norms).map { $0 * $1 }
        guard size > 1 else { return products.map(abs) }
        return stride(from: 0, to: products.count, by: size).map { first in
            products[first..<first + size].reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
    }

    /// The contribution of every unit for one token.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - inputs: The inputs of the component's last projection for the token.
    /// - Returns: A value of at least 0 for each unit.
    func scores(of component: Component, inputs: ArraySlice<Float>) -> [Float] {
        norms[component].map {
            Self.contributions(of: inputs, $0, unitSize: unitSize(of: component))
        } ?? []
    }
}
