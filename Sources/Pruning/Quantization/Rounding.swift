/// The methods of rounding weights to the values of a format.
public enum Rounding: String, CaseIterable, Sendable {
    /// Every weight is rounded to the nearest value.
    case nearest
    /// The weights of layers are rounded by ``GPTQ``, which needs calibration text.
    case gptq
}
