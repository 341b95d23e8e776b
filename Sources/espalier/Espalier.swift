/// What the program says of itself.
enum Espalier {
    /// The version, here and nowhere else.
    static let version = "0.1.0"
}
