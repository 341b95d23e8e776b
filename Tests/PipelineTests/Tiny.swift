import Foundation
import Profiling
import Tensors
import Testing
import Transformers

@testable import Pipeline

/// The tiny models of the tests of `Transformers`.
enum Tiny {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("TransformersTests/Fixtures").path
    static let llama = folder + "/tiny-llama"
    static let gguf = folder + "/tiny-llama.gguf"
    static let bert = folder + "/tiny-bert"
    static let text = folder + "/text/calibration.txt"

    /// Returns the options of a quick prune of the decoder with an invented profile.
    ///
    /// With one attempt, the plan depends only on the profile.
    static func options(in scratch: Scratch, output: String = "out") throws -> PruneOptions {
        var options = PruneOptions(llama, speedups: [1.3], output: scratch.path(output))
        (options.environment.threads, options.environment.sequence) = (1, 32)
        options.profile = try profile(for: options.environment, in: scratch)
        options.calibration = [text]
        (options.calibrationTokens, options.attempts, options.seconds) = (1024, 1, 0.1)
        return options
    }

    /// Writes a profile with equal costs of components, proportional to their units.
    ///
    /// The base is a tenth of the total time. In each of the given formats, every time is multiplied
    /// by the format's factor, and with a head in one of the formats `heads` so is the base.
    static func profile(
        for environment: EnvironmentOptions, formats: [Precision: Double] = [:],
        heads: [Precision: Double] = [:], in scratch: Scratch
    ) throws -> String {
        let shape = try ModelShape(contentsOf: llama)
        let seconds = 1e-4
        func timing(_ seconds: Double) -> Timing {
            Timing(seconds: seconds, low: seconds * 0.99, high: seconds * 1.01, samples: 20)
        }
        func curve(_ kind: ComponentKind) -> LatencyCurve {
            let levels = LevelGrid.levels(of: kind, in: shape).filter { $0 > 0 }
            let full = 0.45 * seconds / Double(shape.layers.count)
            return LatencyCurve(
                entries: levels.map {
                    LatencyCurve.Entry(
                        level: $0, timing: timing(full * Double($0) / Double(levels[0])))
                })
        }
        let table = LatencyTable(
            shape: shape, machine: .current, environment: try environment.environment(for: shape),
            dense: timing(seconds), base: timing(0.1 * seconds),
            curves: [.attention: curve(.attention), .feedForward: curve(.feedForward)],
            created: "2025-01-01T00:00:00Z", espalierVersion: "0")
        let path = scratch.path("made.profile.json")
        let json = try JSONSerialization.jsonObject(with: Data(table.json()))
        var members = try #require(json as? [String: Any])
        members["otherFormats"] = Dictionary(
            uniqueKeysWithValues: formats.map { format, share in
                let parts = ["dense", "base", "curves"].map {
                    ($0, scaled(members[$0] as Any, by: share))
                }
                return (format.rawValue, Dictionary(uniqueKeysWithValues: parts))
            })
        members["heads"] = Dictionary(
            uniqueKeysWithValues: heads.map {
                ($0.rawValue, scaled(members["base"] as Any, by: $1))
            })
        try JSONSerialization.data(withJSONObject: members)
            .write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Returns a part of a profile after multiplying all seconds by a factor.
    private static func scaled(_ part: Any, by share: Double) -> Any {
        if let list = part as? [Any] { return list.map { scaled($0, by: share) } }
        guard let members = part as? [String: Any] else { return part }
        return Dictionary(
            uniqueKeysWithValues: members.map { name, value in
                guard ["seconds", "low", "high"].contains(name), let seconds = value as? Double
                else { return (name, scaled(value, by: share)) }
                return (name, seconds * share)
            })
    }
}

/// A directory that is removed with the value.
final class Scratch {
    private let url = FileManager.default.temporaryDirectory
        .appendingPathComponent("espalier-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Returns the path of a name in the directory; the empty name gives the directory.
    func path(_ name: String = "") -> String {
        name.isEmpty ? url.path : url.appendingPathComponent(name).path
    }
}
