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

    var kernel: ck_epilogue {
        switch self {
        case .store: ck_epilogue_store
        case .add: ck_epilogue_add
        case .gelu: ck_epilogue_gelu
        case .tanhGELU: ck_epilogue_tanh_gelu
        case .relu: ck_epilogue_relu
        case .swiglu: ck_epilogue_swiglu
        }
    }
}
