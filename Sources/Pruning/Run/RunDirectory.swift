internal import Foundation
internal import ModelFiles

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#endif

/// A directory of one prune that can be stopped and taken up again.
///
/// Each stage writes its product atomically under a fixed name; a product that is there was
/// finished. What all stages depend on is written first, and a directory made from other inputs is
/// refused. A lock keeps a second run out.
///
/// `@unchecked`: immutable; the lock's descriptor is closed when the value goes.
public final class RunDirectory: @unchecked Sendable {
    /// The directory.
    public let path: String

    private let lock: Int32

    /// Why a directory cannot be used.
    public struct Failure: Error, CustomStringConvertible {
        /// What is wrong and what to do.
        public let description: String
    }

    /// Creates or takes up a directory.
    ///
    /// - Parameters:
    ///   - path: The directory, created where it does not exist.
    ///   - inputs: Everything that the products depend on, by name, as digests or values.
    ///   - restarting: Discards what was made from other inputs instead of refusing.
    /// - Throws: ``Failure`` where another run holds it or it belongs to other inputs, or
    ///   `ModelFileError` where it cannot be written.
    public init(_ path: String, inputs: [String: String], restarting: Bool = false) throws {
        self.path = path
        let files = FileManager.default
        do {
            try files.createDirectory(
                atPath: path + "/work", withIntermediateDirectories: true)
        } catch {
            throw Failure(
                description: "\(path): it cannot be created: \(error.localizedDescription); "
                    + "choose another -o")
        }
        lock = open(path + "/work/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure(
                description: "\(path): another prune is at work there; wait for it, or choose "
                    + "another -o")
        }
        try adopt(inputs, restarting: restarting)
    }

    deinit {
        if lock >= 0 { close(lock) }
    }

    /// The path of a product.
    public func product(_ name: String) -> String { path + "/" + name }

    /// Whether a stage has finished: its product is there.
    public func has(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: product(name))
    }

    /// Reads a JSON product.
    ///
    /// - Returns: The value, or nil where it is missing or unreadable and must be made again.
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

    private func adopt(_ inputs: [String: String], restarting: Bool) throws {
        let name = "work/inputs.json"
        if let known = read([String: String].self, name), known != inputs {
            let differing = Set(known.keys).union(inputs.keys).filter { known[$0] != inputs[$0] }
            guard restarting else {
                throw Failure(
                    description: "\(path): it holds a prune with other inputs ("
                        + differing.sorted().joined(separator: ", ")
                        + "); choose another -o, or discard it with --restart")
            }
            let files = FileManager.default
            for entry in (try? files.contentsOfDirectory(atPath: path)) ?? [] where entry != "work"
            {
                guard Self.isProduct(entry) else { continue }
                try files.removeItem(atPath: product(entry))
            }
            for entry in (try? files.contentsOfDirectory(atPath: path + "/work")) ?? []
            where entry != "lock" {
                try files.removeItem(atPath: product("work/" + entry))
            }
        }
        try write(inputs, name)
    }

    /// Whether a name at the top of the directory is one that a prune makes.
    private static func isProduct(_ name: String) -> Bool {
        ["profile.json", "losses.json", "plan.json"].contains(name) || name.hasPrefix("report.")
            || name.hasSuffix("x") && Double(name.dropLast()) != nil
    }
}
