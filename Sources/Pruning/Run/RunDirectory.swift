internal import Foundation
internal import ModelFiles

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#endif

/// The directory of a pruning run or a training run, which can be stopped and resumed.
///
/// Each stage writes its product atomically under a fixed name, so a product that exists is
/// complete. The inputs that all stages depend on are written first, and a directory made from
/// other inputs is refused. A lock prevents a second run in the same directory.
///
/// `@unchecked`: all properties are immutable; `deinit` closes the lock's descriptor.
public final class RunDirectory: @unchecked Sendable {
    /// The directory.
    public let path: String

    private let lock: Int32
    private let kind: Kind
    /// Whether this run created the directory.
    private let isNew: Bool

    /// The kind of run.
    ///
    /// It decides which names are products; all other files are the user's.
    public enum Kind: String, Sendable {
        /// A pruning run.
        case prune
        /// A training run.
        case training
    }

    /// The reason why a directory cannot be used.
    public struct Failure: Error, CustomStringConvertible {
        /// The problem and a remedy.
        public let description: String
    }

    /// Creates a directory, or resumes the run in it.
    ///
    /// - Parameters:
    ///   - path: The directory; it is created if it does not exist.
    ///   - kind: The kind of run.
    ///   - inputs: Everything that the products depend on, by name, as digests or values.
    ///   - sources: The files and directories that the run reads.
    ///   - restarting: Discards products that were made from other inputs. Without it, such a
    ///     directory is refused. If there are no products yet, the inputs may change freely.
    /// - Throws: ``Failure`` if another run has the lock, if the products were made from other
    ///   inputs, or if a product would overwrite a source; `ModelFileError` if the directory cannot
    ///   be written.
    public init(
        _ path: String, for kind: Kind = .prune, inputs: [String: String],
        reading sources: [String] = [], restarting: Bool = false
    ) throws {
        self.path = path
        self.kind = kind
        if let source = sources.first(where: { kind.isProduct($0, in: path) }) {
            throw Failure(
                description: "\(source): the \(kind.rawValue) in \(path) would overwrite this "
                    + "input; choose another -o")
        }
        let files = FileManager.default
        let work = path + "/work"
        isNew = !files.fileExists(atPath: path)
        do {
            try files.createDirectory(atPath: work, withIntermediateDirectories: true)
        } catch {
            throw Failure(
                description: "\(path): it cannot be created: \(error.plainReason); "
                    + "choose another -o")
        }
        lock = open(work + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let problem =
                lock >= 0 && errno == EWOULDBLOCK
                ? "another run is at work there; wait for it, or"
                : "work/lock cannot be locked: \(String(cString: strerror(errno)));"
            throw Failure(description: "\(path): \(problem) choose another -o")
        }
        try adopt(inputs, restarting: restarting)
    }

    deinit {
        if lock >= 0 { close(lock) }
    }

    /// Cleans up after a run that made no product, or only a profile.
    ///
    /// It removes the preparatory files, and the directory too if this run created it and it is
    /// empty.
    public func removeUnused() {
        let names = entries
        let prepares = names.filter { Kind.records.contains($0) || kind.isLeftover($0) }
        let made = names.filter { kind.isProduct($0[...]) && !prepares.contains($0) }
        guard made.allSatisfy({ $0 == "profile.json" }) else { return }
        for name in prepares + ["work/lock"] { try? remove(name) }
        for (folder, isOwn) in [(product("work"), true), (path, isNew)] where isOwn {
            rmdir(folder)
        }
    }

    /// The path of a product.
    public func product(_ name: String) -> String { path + "/" + name }

    /// Whether a stage has finished, which means that its product exists.
    public func has(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: product(name))
    }

    /// Reads a JSON product.
    ///
    /// - Returns: The value; nil if it is missing or unreadable, so that it must be made again.
    public func read<Value: Decodable>(_ type: Value.Type, _ name: String) -> Value? {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: product(name))) else {
            return nil
        }
        return try? JSONDecoder().decode(type, from: data)
    }

    /// Writes a JSON product atomically, with sorted keys.
    public func write(_ value: some Encodable, _ name: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try AtomicFile.write(try encoder.encode(value), to: product(name))
    }

    /// Removes the files in the folder `work`, which only a resumed run needs.
    ///
    /// Files of the user are kept.
    ///
    /// - Throws: ``Failure`` if a file cannot be removed.
    public func tidy() throws {
        for entry in entries where entry.hasPrefix("work/") {
            guard kind.isProduct(entry[...]) || kind.isLeftover(entry) || entry == "work/lock"
            else { continue }
            try remove(entry)
        }
        // A folder that is not empty stays.
        rmdir(product("work"))
    }

    private func adopt(_ inputs: [String: String], restarting: Bool) throws {
        let name = "work/inputs.json"
        for entry in entries where kind.isLeftover(entry) { try remove(entry) }
        let made = entries.filter { kind.isProduct($0[...]) && !Kind.records.contains($0) }
        if let known = read([String: String].self, name) {
            if known != inputs {
                let differing = Set(known.keys).union(inputs.keys)
                    .filter { known[$0] != inputs[$0] }.sorted().joined(separator: ", ")
                try discard(made, "other inputs (\(differing))", if: restarting)
            }
        } else {
            // An existing profile may be an input of this run.
            let isFinished = has("report.json") || has("training.json")
            try discard(
                made.filter { $0 != "profile.json" },
                isFinished
                    ? "finished results, but no work/ to resume from, as after --tidy"
                    : "unknown inputs (\(name) is missing)",
                if: restarting)
        }
        try write(inputs, name)
    }

    /// Removes products that were made from other inputs.
    ///
    /// The record of those inputs stays until all products are removed.
    private func discard(_ made: [String], _ inputs: String, if restarting: Bool) throws {
        guard restarting || made.isEmpty else {
            throw Failure(
                description: "\(path): it contains a \(kind.rawValue) with \(inputs); choose "
                    + "another -o, or discard its contents with --restart")
        }
        let byproducts = Kind.byproducts.filter { kind.isProduct($0[...]) }
        for entry in made + byproducts where has(entry) { try remove(entry) }
    }

    /// The names in the directory and in its folder `work`.
    private var entries: [String] {
        ["", "work/"].flatMap { folder in
            let names = try? FileManager.default.contentsOfDirectory(atPath: product(folder))
            return (names ?? []).map { folder + $0 }
        }
    }

    private func remove(_ name: String) throws {
        do {
            try FileManager.default.removeItem(atPath: product(name))
        } catch {
            throw Failure(
                description: "\(product(name)): it cannot be removed: "
                    + "\(error.plainReason); choose another -o")
        }
    }
}

/// The names of a run's own files. All other files are the user's and are never removed.
extension RunDirectory.Kind {
    /// Files that record how products were made or prepare for them.
    ///
    /// Without products they have no use.
    fileprivate static let records = ["work/inputs.json"] + byproducts

    /// The records to remove when the inputs change.
    fileprivate static let byproducts = ["work/stages.json", "work/sequences.bin"]

    private static let ofTraining: Set<Substring> = [
        "model", "training.json", "work/inputs.json", "work/sequences.bin", "work/losses.json",
        "work/state.safetensors", "work/before.json", "work/teacher",
        "work/teacher.jsonl",
    ]

    /// Whether a path is a product of a run in a directory, or lies inside such a product.
    fileprivate func isProduct(_ path: String, in directory: String) -> Bool {
        func parts(_ path: String) -> [String] {
            URL(fileURLWithPath: path).resolvingSymlinksInPath().pathComponents
        }
        let (whole, start) = (parts(path), parts(directory))
        guard whole.starts(with: start) else { return false }
        let inside = whole.dropFirst(start.count)
        let name = inside.prefix(inside.first == "work" ? 2 : 1).joined(separator: "/")
        return isProduct(name[...])
    }

    private static let ofPrune: Set<Substring> = [
        "profile.json", "losses.json", "plan.json", "report.json", "report.md", "report.html",
        "work/inputs.json", "work/stages.json", "work/sequences.bin", "work/sampled.json",
        "work/moments.safetensors",
        "work/calibration.json", "work/sensitivity.json", "work/dense.json",
        "work/dense-second.json",
        "work/runtime", "work/samples.json", "work/lesson.json", "work/quiet.json",
    ]

    /// Whether a run makes a file or directory of this name.
    ///
    /// A pruning run also makes a directory for each target, such as `1.25x`. For baselines, the
    /// name of the method precedes it. Gradual pruning makes two more directories for each target.
    fileprivate func isProduct(_ name: Substring) -> Bool {
        guard self == .prune else { return Self.ofTraining.contains(name) }
        if Self.ofPrune.contains(name) { return true }
        let isWork = name.hasPrefix("work/")
        var target = isWork ? name.dropFirst(5) : name
        if isWork, let round = ["-pruned", "-trained"].first(where: { target.hasSuffix($0) }) {
            return isTarget(target.dropLast(round.count))
        }
        if isWork {
            guard target.hasSuffix(".json") else { return false }
            target = target.dropLast(5)
        }
        if let method = PruningMethod.allCases.first(where: { target.hasPrefix($0.rawValue + "-") })
        {
            target = target.dropFirst(method.rawValue.count + 1)
            if isWork, target == "losses" { return true }
        }
        let suffixes = ["-coefficients", "-plan", "-chain"]
        if isWork, let suffix = suffixes.first(where: { target.hasSuffix($0) }) {
            target = target.dropLast(suffix.count)
        }
        return isTarget(target)
    }

    /// Whether a name is the name of a target, such as `1.25x`.
    private func isTarget(_ name: Substring) -> Bool {
        name.first?.isNumber == true && name.last == "x" && Double(name.dropLast()) != nil
    }

    /// Whether a name is the temporary name of a product, which a killed run leaves behind.
    ///
    /// Such a name ends in `.tmp`, and may have numbers before that.
    fileprivate func isLeftover(_ name: String) -> Bool {
        guard name.hasSuffix(".tmp") else { return false }
        let product = name.dropLast(4)
        return isProduct(product)
            || product.lastIndex(of: ".").map { isProduct(product[..<$0]) } ?? false
    }
}
