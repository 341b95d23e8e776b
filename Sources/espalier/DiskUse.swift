import CommandLine
import Foundation

/// What files take on disk.
enum DiskUse {
    /// The bytes of a file, or of all files below a directory; links count as what they lead to.
    static func bytes(of path: String) -> Int {
        let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        let below = (try? FileManager.default.subpathsOfDirectory(atPath: url.path)) ?? []
        return below.reduce(size(of: url)) { $0 + size(of: url.appendingPathComponent($1)) }
    }

    /// The bytes of the files that a model is read from.
    static func bytes(ofModel path: String) -> Int {
        ((try? FileDigest.modelFiles(path)) ?? []).reduce(0) { $0 + bytes(of: $1) }
    }

    private static func size(of url: URL) -> Int {
        let real = url.resolvingSymlinksInPath().path
        let facts = try? FileManager.default.attributesOfItem(atPath: real)
        guard let facts, facts[.type] as? FileAttributeType == .typeRegular else { return 0 }
        return (facts[.size] as? NSNumber)?.intValue ?? 0
    }

    /// Says what a model took on disk and what was made of it takes.
    ///
    /// - Parameters:
    ///   - source: The location of the model that was read.
    ///   - output: The file or directory that was written.
    static func remarkOn(_ source: ModelLocation, to output: String) {
        remark(
            "On disk: \(source.name) \(Human.bytes(bytes(ofModel: source.path))), "
                + "\(output) \(Human.bytes(bytes(of: output))).")
    }

    /// What the folder `work` of a run is for, and how large it is; nil where it is not there.
    static func noteOnWork(in directory: String, remedy: String) -> String? {
        let work = directory + "/work"
        guard FileManager.default.fileExists(atPath: work) else { return nil }
        return "\(work) takes \(Human.bytes(bytes(of: work))): with it the run can be resumed. "
            + remedy
    }
}
