/// Options of a job that are invalid, or contradict each other or the model.
public struct InvalidOptions: Error, Equatable, CustomStringConvertible {
    /// The problem and the remedy.
    ///
    /// Options have their names from the command line.
    public let description: String

    /// Creates an error from its message, which names the option and the remedy.
    init(_ description: String) {
        self.description = description
    }
}
