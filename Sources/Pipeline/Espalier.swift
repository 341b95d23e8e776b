/// Facts on this library.
public enum Espalier {
    /// The version, here and nowhere else.
    public static let version = "0.1.0"
}
