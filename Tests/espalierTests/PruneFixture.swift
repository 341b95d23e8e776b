import Foundation
import Profiling
import Testing
import Transformers

/// Runs `prune` on a tiny model.
///
/// The profile is synthetic, so the result does not depend on how busy the machine is.
final class PruneFixture {
    let scratch: Scratch
    private let model: String
    private let options: [String]

    /// Creates a fixture for a decoder or an encoder.
    init(_ model: String = Fixture.llama) throws {
        self.model = model
        scratch = try Scratch()
        let profile = scratch.path("made.profile.json")
        try Data(Self.table(try ModelShape(contentsOf: model)).json())
            .write(to: URL(fileURLWithPath: profile))
        options = [
            "--profile", profile, "--threads", "1", "--sequence", "32", "--calibration-tokens",
            "1024", "--attempts", "2", "--seconds", "0.1",
        ]
    }

    var out: String { scratch.path("out") }

    /// Returns the arguments of a `prune` command that writes to `out`.
    ///
    /// Options in `more` replace options of the fixture.
    func words(
        speedup: String = "1.3", calibration: String? = Fixture.folder + "/text/calibration.txt",
        to out: String? = nil, _ more: String...
    ) -> [String] {
        var words = ["prune", model, "--speedup", speedup, "-o", out ?? self.out]
        for place in stride(from: 0, to: options.count, by: 2)
        where !more.contains(options[place]) {
            words += options[place...place + 1]
        }
        return words + (calibration.map { ["--calibration", $0] } ?? []) + more
    }

    /// Returns the report of a prune.
    func report(in out: String? = nil) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: (out ?? self.out) + "/report.json"))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    /// Returns the names of all files of a prune.
    func files(in out: String? = nil) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: out ?? self.out).sorted()
    }

    /// Returns a table in which all complete components take the same time.
    ///
    /// A component with fewer units takes proportionally less time.
    /// The base is a tenth of the total time.
    private static func table(_ shape: ModelShape) throws -> LatencyTable {
        let layers = Double(shape.layers.count)
        let seconds = 1e-4
        func timing(_ seconds: Double) -> Timing {
            Timing(seconds: seconds, low: seconds * 0.99, high: seconds * 1.01, samples: 20)
        }
        func curve(_ kind: ComponentKind) -> LatencyCurve {
            let levels = LevelGrid.levels(of: kind, in: shape).filter { $0 > 0 }
            let full = 0.45 * seconds / layers
            return LatencyCurve(
                entries: levels.map {
                    LatencyCurve.Entry(
                        level: $0, timing: timing(full * Double($0) / Double(levels[0])))
                })
        }
        var table = LatencyTable(
            shape: shape, machine: .current,
            environment: InferenceEnvironment(
                phase: shape.architecture == .bert ? .encode : .decode, batch: 1, sequence: 32,
                threads: 1, precision: .f32),
            dense: timing(seconds), base: timing(0.1 * seconds),
            curves: [.attention: curve(.attention), .feedForward: curve(.feedForward)],
            created: "2025-01-01T00:00:00Z", espalierVersion: "0")
        table.model = shape.architecture == .bert ? "tiny-bert" : "tiny-llama"
        try table.check()
        return table
    }
}
