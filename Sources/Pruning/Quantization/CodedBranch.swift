internal import Tensors
internal import Transformers

/// The projections of a branch that are rounded to grids, of which only the codes are in memory.
struct CodedBranch: Sendable {
    /// A projection: its codes, or its weight if it is not rounded.
    private enum Stored: Sendable {
        case codes(CodedMatrix, bias: [Float]?)
        case floats(Projection)

        init(_ projection: Projection) {
            self = projection.codes.map { .codes($0, bias: projection.bias) } ?? .floats(projection)
        }

        var projection: Projection {
            switch self {
            case .codes(let codes, let bias): Projection(codes: codes, bias: bias)
            case .floats(let projection): projection
            }
        }
    }

    private let inputs: [Stored]
    private let output: Stored?

    /// Takes the projections of a layer's branch.
    init(_ layer: LayerWeights, _ kind: ComponentKind) {
        inputs = layer[inputsOf: kind].map(Stored.init)
        output = layer[outputOf: kind].map(Stored.init)
    }

    /// Replaces the projections of a layer's branch by these.
    func replace(_ kind: ComponentKind, of layer: inout LayerWeights) {
        layer[inputsOf: kind] = inputs.map(\.projection)
        layer[outputOf: kind] = output?.projection
    }
}
