/// The error for options that are invalid, or that contradict each other or the model.
public struct InvalidOptions: Error, Equatable, CustomStringConvertible {
    /// The problem and the remedy.
    ///
    /// Options are named as on the command line.
    public let description: String

    /// Creates an error from its message, which names the option and the remedy.
    init(_ description: String) {
        self.description = description
    }
}
