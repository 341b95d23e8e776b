import CommandLine
import Foundation
import ModelFiles

/// Where a model that the user named is: a path, or a hub id found in the local hub cache.
struct ModelLocation {
    /// What commands say of their argument MODEL.
    static let help = "A Hugging Face directory, a .gguf file, or the id of a hub model."

    /// A directory or a file that exists.
    let path: String
    /// The model's name without directories and extension, for files named after it.
    let name: String

    /// Finds a model; a hub model that is not in the local cache is fetched.
    ///
    /// - Throws: `ModelFileError`, or `Interrupted` when the user asks to stop fetching.
    init(
        _ given: String,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws {
        if FileManager.default.fileExists(atPath: given) {
            path = given
        } else {
            path = try Self.cached(given, in: HubCache(environment))
        }
        let full = path == given ? URL(fileURLWithPath: given).standardized.path : given
        let last = full.split(separator: "/").last.map(String.init) ?? "model"
        name = last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last
    }

    private static func cached(_ id: String, in cache: HubCache) throws -> String {
        guard let parts = HubCache.parts(of: id) else {
            throw ModelFileError(
                file: id, problem: "there is no such file or directory", remedy: "check the path")
        }
        if let snapshot = try cache.snapshot(of: id) { return snapshot }
        // A name without owner, or in a directory that exists, is rather a path with a slip.
        guard parts.count == 2, !FileManager.default.fileExists(atPath: parts[0]) else {
            throw ModelFileError(
                file: id,
                problem: "there is no such path, and the hub cache \(cache.path) lacks it",
                remedy: "check the path, or name a hub model as OWNER/NAME to fetch it")
        }
        guard !cache.isOffline else {
            throw ModelFileError(
                file: id,
                problem: "there is no such path, the hub cache \(cache.path) lacks it, and "
                    + "HF_HUB_OFFLINE is set",
                remedy: "check the path, or unset HF_HUB_OFFLINE to fetch it")
        }
        return try HubDownload(id, to: cache).run()
    }
}

extension ValueKind where Value == String {
    /// A model: a path or a hub id.
    static var model: ValueKind { file.named("MODEL") }
}
