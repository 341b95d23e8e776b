internal import Foundation
internal import ModelFiles
internal import Pruning

/// Refuses an output path that already exists, which may be a file of the user, such as the model.
///
/// - Throws: `ModelFileError` that names the output.
func requireAbsent(_ output: String) throws(ModelFileError) {
    guard !FileManager.default.fileExists(atPath: output) else {
        throw ModelFileError(
            file: output, problem: "it already exists", remedy: "choose another --output")
    }
}

extension RunDirectory {
    /// Does some work.
    ///
    /// If the work fails and the directory has no products, the files of this library are removed
    /// from the directory. A cancelled job keeps the files, because it may be resumed.
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
