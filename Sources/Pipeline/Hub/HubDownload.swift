internal import Foundation
internal import ModelFiles
internal import Transformers

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#endif

/// Downloads a model of the hub into its local cache.
///
/// Every file is written to `blobs/DIGEST.incomplete`. An interrupted download resumes there. The
/// complete file is checked and then renamed. The snapshot is created when all files are complete.
/// A lock ensures that only one process at a time downloads a model.
struct HubDownload {
    private let id: String
    private let cache: HubCache
    private let folder: String
    private let progress: any JobProgress

    /// A file of a model, as the hub describes it.
    private struct Entry {
        let name: String
        let size: Int
        /// The name of the blob.
        let digest: String
        /// Whether the digest is the SHA-256 of the bytes, as it is for all large files.
        let isSHA256: Bool

        var isWeights: Bool {
            Self.fileName(name).hasPrefix("model.") || Self.fileName(name).hasPrefix("model-")
        }

        static func fileName(_ path: String) -> String { (path as NSString).lastPathComponent }
    }

    init(_ id: String, to cache: HubCache, _ progress: any JobProgress) {
        self.progress = progress
        self.id = id
        self.cache = cache
        folder = cache.folder(of: id)
    }

    /// Downloads the missing files.
    ///
    /// - Returns: The snapshot's directory.
    /// - Throws: `ModelFileError`, or `CancellationError`.
    func run() throws -> String {
        let (commit, entries) = try description()
        let files = FileManager.default
        for part in ["blobs", "snapshots", "refs"] { try makeDirectory(folder + "/" + part) }
        let lock = open(folder + "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        defer { close(lock) }
        while flock(lock, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            try progress.checkCancellation()
            usleep(100_000)
        }
        let total = entries.reduce(0) { $0 + $1.size }
        try progress.counting("Fetching \(id)", total: total, unit: "bytes") { advance in
            var done = 0
            for entry in entries {
                try fetch(entry, of: commit) { try advance(done + $0) }
                done += entry.size
                try advance(done)
            }
        }
        let snapshot = "\(folder)/snapshots/\(commit)"
        let temporary = "\(folder)/snapshots/.\(commit).tmp"
        try? files.removeItem(atPath: temporary)
        // A snapshot that exists may be from another tool. Links are only added or replaced.
        // Weights are linked last, because a snapshot with weights counts as complete.
        let exists = files.fileExists(atPath: snapshot)
        for entry in entries.filter({ !$0.isWeights }) + entries.filter(\.isWeights) {
            let link = (exists ? snapshot : temporary) + "/" + entry.name
            try? files.removeItem(atPath: link)
            try makeDirectory((link as NSString).deletingLastPathComponent)
            let up = String(repeating: "../", count: 2 + entry.name.count { $0 == "/" })
            try files.createSymbolicLink(
                atPath: link, withDestinationPath: up + "blobs/" + entry.digest)
        }
        if !exists { try files.moveItem(atPath: temporary, toPath: snapshot) }
        try AtomicFile.write(Array(commit.utf8), to: folder + "/refs/main")
        return snapshot
    }

    private func makeDirectory(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ModelFileError(
                file: path, problem: "it cannot be created: \(error.plainReason)",
                remedy: "set HF_HUB_CACHE to a directory that is writable and has room")
        }
    }

    /// Returns the commit of the main branch, and the files that belong to a model.
    private func description() throws -> (commit: String, entries: [Entry]) {
        let address = "\(cache.endpoint)/api/models/\(id)/revision/main?blobs=true"
        let answer = FileManager.default.temporaryDirectory
            .appendingPathComponent("espalier-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: answer) }
        try transfer(address, to: answer, advance: progress.check)
        let value = try JSONValue(parsing: InputFile(path: answer).bytes, file: address).object
        func fault(_ what: String) -> ModelFileError {
            ModelFileError(
                file: address, subject: what, problem: "the hub's answer lacks this field",
                remedy: "check HF_ENDPOINT")
        }
        guard let commit = value?["sha"]?.string, Self.isPlain(commit) else { throw fault("sha") }
        guard let siblings = value?["siblings"]?.array else { throw fault("siblings") }
        var entries: [Entry] = []
        let names = siblings.compactMap { $0.object?["rfilename"]?.string }
        for sibling in siblings {
            guard let name = sibling.object?["rfilename"]?.string, Self.isWanted(name) else {
                continue
            }
            let large = sibling.object?["lfs"]?.object
            let digest = large?["sha256"]?.string ?? sibling.object?["blobId"]?.string
            guard let digest, Self.isPlain(digest), let size = sibling.object?["size"]?.integer
            else { throw fault(name) }
            entries.append(
                Entry(name: name, size: size, digest: digest, isSHA256: large != nil))
        }
        guard entries.contains(where: { Entry.fileName($0.name) == "config.json" }),
            entries.contains(where: { $0.name.hasSuffix(".safetensors") })
        else { throw unsuitable(names) }
        return (commit, entries.sorted { $0.name < $1.name })
    }

    /// The error for a repository without safetensors; it names the other weights that are there.
    private func unsuitable(_ names: [String]) -> ModelFileError {
        let models = names.filter { $0.hasSuffix(".gguf") && Self.isPlainPath($0) }.sorted()
        if !models.isEmpty {
            let file = models.first { $0.lowercased().contains("q8_0") } ?? models[0]
            return ModelFileError(
                file: id, problem: "the hub has GGUF files and no safetensors for it",
                remedy: "fetch one of its \(models.count) files, with: hf download \(id) \(file); "
                    + "then name the path that this prints")
        }
        if names.contains(where: { $0.hasSuffix(".bin") }) {
            return ModelFileError(
                file: id, problem: "the hub has PyTorch files and no safetensors for it",
                remedy: "convert it with: python -c \"import transformers as t; "
                    + "t.AutoTokenizer.from_pretrained('\(id)').save_pretrained('model'); "
                    + "t.AutoModel.from_pretrained('\(id)').save_pretrained('model')\" "
                    + "(AutoModelForCausalLM for a decoder), and name the directory 'model'")
        }
        return ModelFileError(
            file: id, problem: "the hub has no config.json with safetensors for it",
            remedy: "name another model, or give the path of a .gguf file")
    }

    /// Whether a path in a repository can be printed and pasted without quoting.
    private static func isPlainPath(_ name: String) -> Bool {
        name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./".contains($0)) }
    }

    /// Whether a name can be used in a path without quoting.
    private static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }

    /// Whether a file of a repository is part of a model.
    private static func isWanted(_ name: String) -> Bool {
        let names = [
            "config.json", "model.safetensors.index.json", "modules.json",
            "config_sentence_transformers.json", "1_Pooling/config.json",
        ]
        // The folder for the model itself in old versions of sentence-transformers.
        let folder = "0_Transformer/"
        let name = name.hasPrefix(folder) ? String(name.dropFirst(folder.count)) : name
        return (names + Checkpoint.tokenizerFileNames).contains(name)
            || name.hasPrefix("sentence_") && name.hasSuffix("_config.json")
            || name.hasSuffix(".safetensors") && !name.contains("/") && name.hasPrefix("model")
    }

    /// Downloads one file, unless it is in the cache.
    private func fetch(
        _ entry: Entry, of commit: String, advance: (Int) throws -> Void
    ) throws {
        let blob = "\(folder)/blobs/\(entry.digest)"
        guard !FileManager.default.fileExists(atPath: blob) else { return }
        let temporary = blob + ".incomplete"
        if size(of: temporary) != entry.size {
            try transfer(
                "\(cache.endpoint)/\(id)/resolve/\(commit)/\(entry.name)", to: temporary,
                advance: advance)
        }
        let file = try InputFile(path: temporary)
        var isWhole = file.count == entry.size
        if isWhole, entry.isSHA256 { isWhole = try FileDigest.of(file) == entry.digest }
        guard isWhole else {
            try FileManager.default.removeItem(atPath: temporary)
            throw ModelFileError(
                file: "\(id)/\(entry.name)",
                problem: "the size or the digest of the download is not the one that the hub gives",
                remedy: "fetch it again")
        }
        try FileManager.default.moveItem(atPath: temporary, toPath: blob)
    }

    private func size(of path: String) -> Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return attributes?[.size] as? Int ?? 0
    }

    /// Downloads with curl, and resumes an earlier download if the server supports that.
    private func transfer(
        _ address: String, to path: String, advance: (Int) throws -> Void
    ) throws {
        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        curl.arguments = [
            "curl", "--silent", "--show-error", "--fail", "--location", "--retry", "2",
            "--connect-timeout", "20", "--continue-at", "-", "--output", path, "--config", "-",
            "--write-out", "%{http_code}", address,
        ]
        // The token is passed through a pipe, because all users can see the arguments of a process.
        let (configuration, answer, problem) = (Pipe(), Pipe(), Pipe())
        (curl.standardInput, curl.standardOutput, curl.standardError) = (
            configuration, answer, problem
        )
        do { try curl.run() } catch { throw missing(error.plainReason) }
        let header = cache.token.map { "header = \"Authorization: Bearer \($0)\"\n" } ?? ""
        try? configuration.fileHandleForWriting.write(contentsOf: Data(header.utf8))
        try? configuration.fileHandleForWriting.close()
        while curl.isRunning {
            do { try advance(size(of: path)) } catch {
                curl.terminate()
                curl.waitUntilExit()
                throw error
            }
            usleep(50_000)
        }
        try progress.checkCancellation()
        guard curl.terminationStatus != 0 else { return }
        if curl.terminationStatus == Self.cannotResume, size(of: path) > 0 {
            try FileManager.default.removeItem(atPath: path)
            return try transfer(address, to: path, advance: advance)
        }
        guard curl.terminationStatus != Self.isMissing else { throw missing("it is not installed") }
        throw refusal(code: text(of: answer), output: text(of: problem))
    }

    private func missing(_ reason: String) -> ModelFileError {
        ModelFileError(
            file: id, problem: "curl cannot be started: \(reason)",
            remedy: "install curl, or fetch the model with `hf download \(id)`")
    }

    /// The exit status of `env` if there is no such program.
    private static let isMissing: Int32 = 127

    /// The exit status of curl if the server does not support range requests.
    private static let cannotResume: Int32 = 33

    private func text(of pipe: Pipe) -> String {
        String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }

    private func refusal(code: String, output: String) -> ModelFileError {
        switch code {
        case "401", "403":
            return ModelFileError(
                file: id,
                problem: "the hub refuses access (\(code)): the model is missing, private or gated",
                remedy: "check the id, and set HF_TOKEN to a token that may read it")
        case "404":
            return ModelFileError(
                file: id, problem: "there is no such path, and the hub has no such model",
                remedy: "check the path or the id")
        default:
            let reason = output.split(separator: "\n").last ?? "curl failed"
            return ModelFileError(
                file: id, problem: "it cannot be fetched from \(cache.endpoint): \(reason)",
                remedy: "check the network and HF_ENDPOINT; the next run resumes the download")
        }
    }
}
