import CKernels

/// The function that a linear layer applies to its product before it stores the result.
public enum Epilogue: Sendable {
    /// `y = x · Wᵀ + b`
    case store
    /// `y += x · Wᵀ + b`, for the end of a residual branch.
    case add
    /// `y = GELU(x · Wᵀ + b)`, with the exact erf.
    case gelu
    /// `y = GELU(x · Wᵀ + b)`, with the tanh approximation.
    case tanhGELU
    /// `y = max(x · Wᵀ + b, 0)`
    case relu
    /// `y = SiLU(gate) · up`, for weights packed from a gate and an up projection.
    case swiglu
    /// `y = SiLU(x · Wᵀ + b)`
    case silu
    /// `y = GELU(gate) · up`, with the exact erf.
    case gatedGELU
    /// `y = GELU(gate) · up`, with the tanh approximation.
    case gatedTanhGELU
    /// `y = max(gate, 0) · up`
    case gatedReLU

    /// Whether the weights are packed from a gate and an up projection.
    public var isGated: Bool {
        switch self {
        case .swiglu, .gatedGELU, .gatedTanhGELU, .gatedReLU: true
        case .store, .add, .gelu, .tanhGELU, .relu, .silu: false
        }
    }

    var kernel: ck_epilogue {
        switch self {
        case .store: ck_epilogue_store
        case .add: ck_epilogue_add
        case .gelu: ck_epilogue_gelu
        case .tanhGELU: ck_epilogue_tanh_gelu
        case .relu: ck_epilogue_relu
        case .swiglu: ck_epilogue_swiglu
        case .silu: ck_epilogue_silu
        case .gatedGELU: ck_epilogue_gated_gelu
        case .gatedTanhGELU: ck_epilogue_gated_tanh_gelu
        case .gatedReLU: ck_epilogue_gated_relu
        }
    }
}
