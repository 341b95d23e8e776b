internal import CProse

/// A text that comes with the program, to evaluate models on something else than what they were
/// calibrated on: a story of 1861, in the public domain.
public enum ShippedProse {
    /// What it is called.
    public static let title = "\"Life in the Iron-Mills\" (shipped prose)"

    /// The text, a paragraph a line.
    public static var text: String { String(cString: prose_text()) }
}
