import CommandLine
import Foundation
import ModelFiles

/// Where a model that the user named is: a path, or a hub id found in the local hub cache.
struct ModelLocation {
    /// What commands say of their argument MODEL.
    static let help = "A Hugging Face directory, a .gguf file, or the id of a cached hub model."

    /// A directory or a file that exists.
    let path: String
    /// The model's name without directories and extension, for files named after it.
    let name: String

    /// Finds a model.
    ///
    /// The hub cache is `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or `~/.cache/huggingface/hub`.
    init(
        _ given: String,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ModelFileError) {
        if FileManager.default.fileExists(atPath: given) {
            path = given
        } else {
            path = try Self.cached(given, in: Self.hubCache(environment))
        }
        let full = path == given ? URL(fileURLWithPath: given).standardized.path : given
        let last = full.split(separator: "/").last.map(String.init) ?? "model"
        name = last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last
    }

    private static func hubCache(_ environment: [String: String]) -> String {
        environment["HF_HUB_CACHE"] ?? environment["HF_HOME"].map { $0 + "/hub" }
            ?? NSHomeDirectory() + "/.cache/huggingface/hub"
    }

    /// The snapshot of a hub id: that of `refs/main`, else the only one.
    private static func cached(_ id: String, in cache: String) throws(ModelFileError) -> String {
        let parts = id.split(separator: "/", omittingEmptySubsequences: false)
        let isFile = [".gguf", ".json", ".safetensors"].contains(where: id.hasSuffix)
        let isID =
            !isFile && parts.count <= 2
            && parts.allSatisfy { part in
                !part.isEmpty && part != "." && part != ".."
                    && part.allSatisfy { $0.isLetter || $0.isNumber || "-_.".contains($0) }
            }
        guard isID else {
            throw ModelFileError(
                file: id, problem: "there is no such file or directory", remedy: "check the path")
        }
        let home = cache + "/models--" + parts.joined(separator: "--")
        let snapshots = home + "/snapshots"
        let revisions = (try? FileManager.default.contentsOfDirectory(atPath: snapshots)) ?? []
        let main = (try? String(contentsOfFile: home + "/refs/main", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
        if let main, revisions.contains(main) { return snapshots + "/" + main }
        guard let only = revisions.first else {
            throw ModelFileError(
                file: id, problem: "there is no such path, and the hub cache \(cache) lacks it",
                remedy: "check the path, or fetch it with `hf download \(id)`")
        }
        guard revisions.count == 1 else {
            throw ModelFileError(
                file: id, problem: "\(snapshots) holds \(revisions.count) revisions and no main",
                remedy: "name the directory of one of them")
        }
        return snapshots + "/" + only
    }
}

extension ValueKind where Value == String {
    /// A model: a path or a hub id.
    static var model: ValueKind { file.named("MODEL") }
}
