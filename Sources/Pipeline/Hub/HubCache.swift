internal import Foundation
internal import ModelFiles

/// The local cache of the model hub, at the path that environment variables define.
///
/// Layout: huggingface.co/docs/huggingface_hub/guides/manage-cache. A model is
/// `models--OWNER--NAME` with `blobs/DIGEST`, `snapshots/COMMIT/FILE` and `refs/main`. The files of
/// a snapshot are links to blobs. `refs/main` contains the name of a commit.
struct HubCache {
    /// The folder of all models.
    let path: String
    /// The address of the hub.
    let endpoint: String
    /// The token for access to private models; nil for none.
    let token: String?
    /// Whether downloads are not allowed.
    let isOffline: Bool

    /// Reads `HF_HUB_CACHE`, `HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH` and
    /// `HF_HUB_OFFLINE`.
    init(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
        let home = environment["HF_HOME"] ?? NSHomeDirectory() + "/.cache/huggingface"
        path = environment["HF_HUB_CACHE"] ?? home + "/hub"
        let address = environment["HF_ENDPOINT"] ?? "https://huggingface.co"
        endpoint = address.hasSuffix("/") ? String(address.dropLast()) : address
        let file = environment["HF_TOKEN_PATH"] ?? home + "/token"
        let stored = try? String(contentsOfFile: file, encoding: .utf8)
        token = [environment["HF_TOKEN"], stored].compactMap {
            $0?.trimmingCharacters(in: .whitespacesAndNewlines)
        }.first { !$0.isEmpty }
        let offline = environment["HF_HUB_OFFLINE"]?.uppercased() ?? ""
        isOffline = ["1", "ON", "YES", "TRUE"].contains(offline)
    }

    /// Returns the owner and the name of a hub model, or only the name; nil if the text is not the
    /// id of a hub model.
    static func parts(of name: String) -> [String]? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isFile = [".gguf", ".json", ".safetensors"].contains(where: name.hasSuffix)
        let isID =
            !isFile && parts.count <= 2
            && parts.allSatisfy { part in
                !part.isEmpty && part != "." && part != ".."
                    && part.allSatisfy {
                        $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0))
                    }
            }
        return isID ? parts.map(String.init) : nil
    }

    /// The folder of one model.
    func folder(of id: String) -> String {
        path + "/models--" + id.split(separator: "/").joined(separator: "--")
    }

    /// Returns the path of the model in the snapshot of a hub id; nil if no snapshot has a model.
    ///
    /// It uses the snapshot that `refs/main` names. If this snapshot has no model, it uses the only
    /// snapshot that has a model.
    ///
    /// - Throws: `ModelFileError` if several other snapshots have a model.
    func snapshot(of id: String) throws(ModelFileError) -> String? {
        let home = folder(of: id)
        let snapshots = home + "/snapshots"
        let all = (try? FileManager.default.contentsOfDirectory(atPath: snapshots)) ?? []
        let revisions = all.filter {
            isWhole(snapshots + "/" + $0) || !ggufFiles(snapshots + "/" + $0).isEmpty
        }
        let main = (try? String(contentsOfFile: home + "/refs/main", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
        if let main, revisions.contains(main) {
            return try model(in: snapshots + "/" + main, of: id)
        }
        guard revisions.count < 2 else {
            throw ModelFileError(
                file: id,
                problem: "\(snapshots) has \(revisions.count) revisions, and none is main",
                remedy: "give the directory of one revision")
        }
        return try revisions.first.map { revision throws(ModelFileError) in
            try model(in: snapshots + "/" + revision, of: id)
        }
    }

    /// Returns the path of the model in a snapshot: a Hugging Face directory, or the only GGUF
    /// file.
    private func model(in snapshot: String, of id: String) throws(ModelFileError) -> String {
        guard !isWhole(snapshot) else { return snapshot }
        let files = ggufFiles(snapshot)
        guard files.count == 1 else {
            throw ModelFileError(
                file: id, problem: "it has \(files.count) GGUF files and no safetensors",
                remedy: "give the path of one file: "
                    + files.map { "\(snapshot)/\($0)" }.joined(separator: ", "))
        }
        return snapshot + "/" + files[0]
    }

    private func ggufFiles(_ snapshot: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: snapshot)) ?? [])
            .filter { $0.hasSuffix(".gguf") }.sorted()
    }

    /// Whether a snapshot has a configuration and weights.
    ///
    /// Other tools download single files, so a snapshot may be incomplete.
    private func isWhole(_ snapshot: String) -> Bool {
        let snapshot = transformerDirectory(snapshot)
        func has(_ name: String) -> Bool {
            FileManager.default.fileExists(atPath: snapshot + "/" + name)
        }
        return has("config.json") && SafetensorsFile.names.contains(where: has)
    }
}
