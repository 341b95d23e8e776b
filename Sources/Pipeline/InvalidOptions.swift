/// Options of a job that are wrong, or contradict each other or the model.
public struct InvalidOptions: Error, Equatable, CustomStringConvertible {
    /// What is wrong, and what to do.
    ///
    /// Options are called by their names on the command line.
    public let description: String

    /// Creates an error from its message, which names the option and the remedy.
    init(_ description: String) {
        self.description = description
    }
}
