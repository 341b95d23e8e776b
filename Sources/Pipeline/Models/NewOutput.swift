internal import Foundation
internal import ModelFiles
internal import Pruning

/// Refuses to write where something is already, which may be the user's, such as the model itself.
///
/// - Throws: `ModelFileError` that names the output.
func requireAbsent(_ output: String) throws(ModelFileError) {
    guard !FileManager.default.fileExists(atPath: output) else {
        throw ModelFileError(file: output, problem: "it exists", remedy: "choose another --output")
    }
}

extension RunDirectory {
    /// Does some work, and removes the files of this library if it fails before anything was made.
    ///
    /// A cancelled job keeps them: it may be resumed.
    func leavingNothingUnused<Result>(_ work: () throws -> Result) throws -> Result {
        do {
            return try work()
        } catch let error as CancellationError {
            throw error
        } catch {
            removeUnused()
            throw error
        }
    }
}
