internal import Foundation
internal import ModelFiles

/// The location of a model that the user named: a path, or a hub id in the local hub cache.
public struct ModelLocation: Sendable {
    /// The path of a directory or file that exists.
    public let path: String
    /// The model's name without directories and extension, for files named after it.
    public let name: String

    /// Finds a model; a hub model that is not in the local cache is downloaded.
    ///
    /// - Parameters:
    ///   - given: A Hugging Face directory, a `.gguf` file, or the id of a hub model.
    ///   - environment: The variables that define the hub and its cache, such as `HF_HOME`; by
    ///     default the variables of this process.
    ///   - progress: Shows the progress of the download.
    /// - Throws: `ModelFileError`, or the error with which `progress` stops the job.
    public init(
        _ given: String, environment: [String: String]? = nil,
        progress: any JobProgress = SilentProgress()
    ) throws {
        if FileManager.default.fileExists(atPath: given) {
            path = given
        } else {
            path = try Self.cached(
                given, in: HubCache(environment ?? ProcessInfo.processInfo.environment), progress)
        }
        let full = path == given ? URL(fileURLWithPath: given).standardized.path : given
        let last = full.split(separator: "/").last.map(String.init) ?? "model"
        name = last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last
    }

    private static func cached(
        _ id: String, in cache: HubCache, _ progress: any JobProgress
    ) throws -> String {
        guard let parts = HubCache.parts(of: id) else {
            throw ModelFileError(
                file: id, problem: "there is no such file or directory", remedy: "check the path")
        }
        if let snapshot = try cache.snapshot(of: id) { return snapshot }
        // A name without an owner, or in a directory that exists, is more likely a mistyped path.
        guard parts.count == 2, !FileManager.default.fileExists(atPath: parts[0]) else {
            throw ModelFileError(
                file: id,
                problem: "there is no such path, and no such model in the hub cache \(cache.path)",
                remedy: "check the path, or name a hub model as OWNER/NAME to fetch it")
        }
        guard !cache.isOffline else {
            throw ModelFileError(
                file: id,
                problem: "there is no such path, no such model in the hub cache "
                    + "\(cache.path), and HF_HUB_OFFLINE is set",
                remedy: "check the path, or unset HF_HUB_OFFLINE to fetch it")
        }
        return try HubDownload(id, to: cache, progress).run()
    }
}
