/// Facts about this library.
public enum Espalier {
    /// The version; it is defined only here.
    public static let version = "0.1.0"
}
