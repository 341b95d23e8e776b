import Console
import Pipeline

/// Help texts that several commands share.
enum Help {
    /// The help of the argument MODEL.
    static let model = "A Hugging Face directory, a .gguf file, or the id of a hub model."
}

extension ValueKind where Value == String {
    /// A model: a path or a hub id.
    static var model: ValueKind { file.named("MODEL") }
}

/// Checks relations between options while a command is parsed.
///
/// - Parameter check: The check of a job's options.
/// - Throws: `UsageError` with the message of the check.
func checkUsage(_ check: () throws(InvalidOptions) -> Void) throws(UsageError) {
    do { try check() } catch { throw UsageError(error.description) }
}
