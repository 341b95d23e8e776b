internal import Foundation
internal import Reporting

/// The size of files on disk.
package enum DiskUse {
    /// Returns the bytes of a file, or of all files in a directory and its subdirectories.
    ///
    /// A link counts as the file that it points to.
    package static func bytes(of path: String) -> Int {
        let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        let below = (try? FileManager.default.subpathsOfDirectory(atPath: url.path)) ?? []
        return below.reduce(size(of: url)) { $0 + size(of: url.appendingPathComponent($1)) }
    }

    /// Returns the bytes of the files that a model is read from.
    package static func bytes(ofModel path: String) -> Int {
        ((try? FileDigest.modelFiles(path)) ?? []).reduce(0) { $0 + bytes(of: $1) }
    }

    private static func size(of url: URL) -> Int {
        let real = url.resolvingSymlinksInPath().path
        let facts = try? FileManager.default.attributesOfItem(atPath: real)
        guard let facts, facts[.type] as? FileAttributeType == .typeRegular else { return 0 }
        return (facts[.size] as? NSNumber)?.intValue ?? 0
    }

    /// Returns a sentence with the sizes on disk of a model and of the model made from it.
    ///
    /// - Parameters:
    ///   - source: The location of the model that was read.
    ///   - output: The file or directory that was written.
    /// - Returns: The sentence.
    package static func sentence(on source: ModelLocation, to output: String) -> String {
        "On disk: \(source.name) \(Figures.shortBytes(bytes(ofModel: source.path))), "
            + "\(output) \(Figures.shortBytes(bytes(of: output)))."
    }

    /// Returns a note on the size and purpose of a run's folder `work`; nil if there is no such
    /// folder.
    package static func noteOnWork(in directory: String, remedy: String) -> String? {
        let work = directory + "/work"
        guard FileManager.default.fileExists(atPath: work) else { return nil }
        return
            "\(work) takes \(Figures.shortBytes(bytes(of: work))): it is needed to resume the run. "
            + remedy
    }
}
