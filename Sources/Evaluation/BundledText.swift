internal import CProse

/// A text that is part of the program: a story of 1861, in the public domain.
///
/// Models are also evaluated on it, because it differs from the calibration text.
public enum BundledText {
    /// The title of the text in reports.
    public static let title = "\"Life in the Iron-Mills\" (shipped prose)"

    /// The text, one paragraph on each line.
    public static var text: String { String(cString: prose_text()) }
}
