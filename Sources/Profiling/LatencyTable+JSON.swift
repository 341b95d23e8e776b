internal import Tensors
internal import Transformers

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension LatencyTable: Codable {
    private enum Key: String, CodingKey {
        case formatVersion
        case espalierVersion
        case created
        case machine
        case environment
        case model
        case shape
        case shapeDigest
        case dense
        case base
        case curves
        case otherFormats
        case heads
        case interplay
        case verification
    }

    /// The stored form of the curves.
    struct Curves: Codable {
        private var attention: LatencyCurve?
        private var feedForward: LatencyCurve?

        init(_ curves: [ComponentKind: LatencyCurve]) {
            (attention, feedForward) = (curves[.attention], curves[.feedForward])
        }

        var byKind: [ComponentKind: LatencyCurve] {
            [.attention: attention, .feedForward: feedForward].compactMapValues { $0 }
        }
    }

    /// Reads a table and checks it with ``check()``.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let version = try container.decode(Int.self, forKey: .formatVersion)
        guard version == Self.formatVersion else {
            throw ProfileError(
                field: "formatVersion",
                problem: "is \(version), but this Espalier reads version \(Self.formatVersion)")
        }
        let curves = try container.decode(Curves.self, forKey: .curves)
        self.init(
            shape: try container.decode(ModelShape.self, forKey: .shape),
            machine: try container.decode(Machine.self, forKey: .machine),
            environment: try container.decode(InferenceEnvironment.self, forKey: .environment),
            dense: try container.decode(Timing.self, forKey: .dense),
            base: try container.decode(Timing.self, forKey: .base),
            curves: curves.byKind,
            created: try container.decode(String.self, forKey: .created),
            espalierVersion: try container.decode(String.self, forKey: .espalierVersion))
        model = try container.decodeIfPresent(String.self, forKey: .model)
        otherFormats =
            try container.decodeIfPresent(
                [Precision: FormatLatencies].self, forKey: .otherFormats) ?? [:]
        heads = try container.decodeIfPresent([Precision: Timing].self, forKey: .heads) ?? [:]
        interplay =
            try container.decodeIfPresent(Interplay.self, forKey: .interplay) ?? Interplay()
        verification = try container.decodeIfPresent(Verification.self, forKey: .verification)
        try check()
        let digest = try container.decode(ShapeDigest.self, forKey: .shapeDigest)
        guard digest == shapeDigest else {
            throw ProfileError(
                field: "shapeDigest", problem: "is \(digest), but `shape` has \(shapeDigest)"
            )
        }
    }

    /// Writes the table with its format version and its shape's digest.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(Self.formatVersion, forKey: .formatVersion)
        try container.encode(espalierVersion, forKey: .espalierVersion)
        try container.encode(created, forKey: .created)
        try container.encode(machine, forKey: .machine)
        try container.encode(environment, forKey: .environment)
        try container.encodeIfPresent(model, forKey: .model)
        try container.encode(shape, forKey: .shape)
        try container.encode(shapeDigest, forKey: .shapeDigest)
        try container.encode(dense, forKey: .dense)
        try container.encode(base, forKey: .base)
        try container.encode(
            Curves(curves), forKey: .curves)
        if !otherFormats.isEmpty {
            try container.encode(otherFormats, forKey: .otherFormats)
        }
        if !heads.isEmpty { try container.encode(heads, forKey: .heads) }
        if !interplay.knots.isEmpty { try container.encode(interplay, forKey: .interplay) }
        try container.encodeIfPresent(verification, forKey: .verification)
    }

    /// Returns the table as the bytes of a file: indented JSON with sorted keys, equal for equal
    /// tables.
    ///
    /// - Returns: UTF-8 with a final newline.
    /// - Throws: ``ProfileError`` if ``check()`` fails or a value cannot be written as JSON.
    public func json() throws(ProfileError) -> [UInt8] {
        try check()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return [UInt8](try encoder.encode(self)) + [UInt8(ascii: "\n")]
        } catch EncodingError.invalidValue(let value, let context) {
            throw ProfileError(
                field: ProfileError.path(context.codingPath),
                problem: "is \(value), which cannot be written as JSON")
        } catch {
            throw ProfileError(problem: "cannot be written as JSON: \(error)")
        }
    }

    /// Reads a table from a file's bytes.
    ///
    /// - Parameters:
    ///   - json: The bytes of the file.
    ///   - file: The file's name, for error messages.
    /// - Throws: ``ProfileError`` if the bytes are not JSON, have another version, are incomplete,
    ///   or if ``check()`` refuses the table.
    public init(json: [UInt8], file: String) throws(ProfileError) {
        do {
            self = try JSONDecoder().decode(LatencyTable.self, from: Data(json))
        } catch {
            var fault: ProfileError
            switch error {
            case let error as ProfileError: fault = error
            case let error as DecodingError: fault = ProfileError(error)
            default: fault = ProfileError(problem: "cannot be read: \(error)")
            }
            fault.file = file
            throw fault
        }
    }

    /// Reads a table from a file.
    ///
    /// - Parameter path: The path of the file.
    /// - Throws: ``ProfileError`` if the file cannot be read, or for the reasons of
    ///   ``init(json:file:)``.
    public init(contentsOf path: String) throws(ProfileError) {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else {
            throw ProfileError(
                file: path, problem: "cannot be read",
                remedy: "check the path, or make a profile with `espalier profile -o \(path)`")
        }
        try self.init(json: [UInt8](data), file: path)
    }
}
