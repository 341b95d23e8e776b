import Foundation
import Tensors

/// Tests every reader with damaged files: `fuzz [--inputs N] [--first N] [--seed S] [FOLDER …]`.
///
/// Run it in the repository. It prints the inputs for which a reader traps, hangs or uses too much
/// memory. Folders contain further valid files, such as the output of a prune. Input N of a seed is
/// always the same.
@main
struct Fuzz {
    private let inputs: Int
    private let first: Int
    private let seed: UInt64
    private let folders: [String]
    private let scratch: String

    static func main() throws {
        var words = Array(CommandLine.arguments.dropFirst())
        let isChild = words.first == "--child"
        let fuzz = Fuzz(&words, isChild: isChild)
        if isChild { try fuzz.feed() } else { try fuzz.watch() }
    }

    private init(_ words: inout [String], isChild: Bool) {
        func option(_ name: String, _ usual: Int) -> Int {
            guard let place = words.firstIndex(of: name), place + 1 < words.count,
                let value = Int(words[place + 1])
            else { return usual }
            words.removeSubrange(place...place + 1)
            return value
        }
        inputs = option("--inputs", 20_000)
        first = option("--first", 0)
        seed = UInt64(option("--seed", 1))
        let hasMemory = FileManager.default.fileExists(atPath: "/dev/shm")
        let folder = hasMemory ? "/dev/shm" : NSTemporaryDirectory()
        scratch = isChild ? words[1] : "\(folder)/espalier-fuzz-\(getpid())"
        folders = Array(words.dropFirst(isChild ? 2 : 0))
    }

    /// Reads the inputs.
    ///
    /// The number of an input is recorded before the input is read.
    private func feed() throws {
        let seeds = try Seed.all(
            in: FileManager.default.currentDirectoryPath, scratch: scratch, further: folders)
        var copies: [String: String] = [:]
        for folder in Set(seeds.map(\.folder)) {
            let copy = "\(scratch)/seed-\(copies.count)"
            try FileManager.default.copyItem(atPath: folder, toPath: copy)
            copies[folder] = copy
        }
        let record = open(scratch + "/progress", O_RDWR | O_CREAT, 0o600)
        var refused = 0
        for input in first..<inputs {
            let (chosen, bytes) = damaged(input, from: seeds)
            let sound = seeds[chosen]
            let folder = copies[sound.folder] ?? ""
            var number = (input, chosen, refused)
            pwrite(record, &number, MemoryLayout.size(ofValue: number), 0)
            try save(bytes, to: folder + "/" + sound.name)
            do { try Reader.read(sound.name, in: folder) } catch {
                if "\(error)".isEmpty { fatalError("an error without words") }
                refused += 1
            }
            try save(sound.bytes, to: folder + "/" + sound.name)
        }
        var number = (inputs, 0, refused)
        pwrite(record, &number, MemoryLayout.size(ofValue: number), 0)
    }

    private func save(_ bytes: [UInt8], to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(file) }
        guard file >= 0, write(file, bytes, bytes.count) == bytes.count else {
            throw CocoaError(.fileWriteUnknown)
        }
    }

    /// Returns an input, and the index of the file of which it is a damaged copy.
    private func damaged(_ input: Int, from seeds: [Seed]) -> (seed: Int, bytes: [UInt8]) {
        var mutation = Mutation(random: SplitMix64(seed: seed &+ UInt64(input) &* 0x9e37_79b9))
        let chosen = Int.random(in: 0..<seeds.count, using: &mutation.random)
        let (sound, other) = (seeds[chosen], seeds[(chosen * 7 + input) % seeds.count])
        return (chosen, mutation.damaged(sound.bytes, head: sound.head, other: other.bytes))
    }

    /// Returns the current input, the file from which it was made, and the number of earlier
    /// errors.
    private func progress(usual: Int) -> (input: Int, seed: Int, refused: Int) {
        let data = FileManager.default.contents(atPath: scratch + "/progress") ?? Data()
        guard data.count >= 24 else { return (usual, 0, 0) }
        return data.withUnsafeBytes { bytes in
            func number(_ place: Int) -> Int {
                bytes.loadUnaligned(fromByteOffset: 8 * place, as: Int.self)
            }
            return (number(0), number(1), number(2))
        }
    }

    /// Watches the process that reads the inputs.
    ///
    /// If an input ends it, starts another process after that input.
    private func watch() throws {
        let files = FileManager.default
        defer { try? files.removeItem(atPath: scratch) }
        let begun = Date()
        var (next, faults, refused) = (first, 0, 0)
        while next < inputs, faults < 100 {
            try? files.removeItem(atPath: scratch)
            try files.createDirectory(atPath: scratch, withIntermediateDirectories: true)
            let child = Process()
            // Using far too much memory is a fault too.
            child.executableURL = URL(fileURLWithPath: "/bin/sh")
            child.arguments =
                ["-c", "ulimit -v 6000000; exec \"$0\" \"$@\"", CommandLine.arguments[0]]
                + ["--child", scratch] + folders
                + ["--inputs", "\(inputs)", "--first", "\(next)", "--seed", "\(seed)"]
            try child.run()
            var (last, since, isHung) = (-1, Date(), false)
            while child.isRunning {
                usleep(100_000)
                let now = progress(usual: next).input
                if now != last { (last, since) = (now, Date()) }
                isHung = Date().timeIntervalSince(since) > 30
                if isHung { child.terminate() }
            }
            child.waitUntilExit()
            let end = progress(usual: next)
            refused += end.refused
            guard child.terminationStatus != 0 else { break }
            faults += 1
            let seeds = try Seed.all(
                in: files.currentDirectoryPath, scratch: scratch + "/again", further: folders)
            let sound = seeds[end.seed]
            let kept = "fuzz-\(seed)-\(end.input)-\(sound.name)"
            let bytes = damaged(end.input, from: seeds).bytes
            try Data(bytes).write(to: URL(fileURLWithPath: kept))
            print(
                "seed \(seed), input \(end.input): \(sound.folder)/\(sound.name): "
                    + (isHung ? "hung" : "ended by signal or status \(child.terminationStatus)")
                    + "; the input is kept as \(kept)")
            next = end.input + 1
        }
        let seconds = Date().timeIntervalSince(begun)
        print(
            "\(inputs - first) inputs, \(refused) refused, \(faults) faults, "
                + String(format: "%.0f s, %.0f a second", seconds, Double(inputs - first) / seconds)
        )
        try? files.removeItem(atPath: scratch)
        exit(faults == 0 ? 0 : 1)
    }
}
