import Foundation
import ModelFiles

/// Refuses to write where something is already, which may be the user's, such as the model itself.
///
/// - Throws: `ModelFileError` that names the output.
func requireAbsent(_ output: String) throws(ModelFileError) {
    guard !FileManager.default.fileExists(atPath: output) else {
        throw ModelFileError(file: output, problem: "it exists", remedy: "choose another --output")
    }
}
