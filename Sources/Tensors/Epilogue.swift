import CKernels

/// What a linear layer does with its product before storing it.
public enum Epilogue: Sendable {
    /// `y = x · Wᵀ + b`
    case store
    /// `y += x · Wᵀ + b`, which closes a residual branch.
    case add
    /// `y = GELU(x · Wᵀ + b)`, with the exact erf.
    case gelu
    /// `y = GELU(x · Wᵀ + b)`, as approximated with tanh.
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
