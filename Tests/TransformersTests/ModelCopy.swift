import Foundation
import ModelFiles
import Tensors

@testable import Transformers

/// A copy of a Hugging Face directory whose configuration and tensors are changed.
final class ModelCopy {
    /// The directory of the copy, which is removed with the value.
    let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("espalier-\(UUID().uuidString)").path

    /// Copies a fixture.
    ///
    /// - Parameters:
    ///   - name: The fixture.
    ///   - fields: Members of `config.json` to replace; null removes one.
    ///   - change: A function that changes the tensors, given by name.
    /// - Throws: `ModelFileError`.
    init(
        _ name: String, fields: [JSONKey: JSONValue] = [:],
        _ change: (inout [String: NamedTensor]) -> Void = { _ in }
    ) throws {
        let source = Fixture.path(name)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        var config = try HuggingFaceConfig(path: source).members
        for (key, value) in fields { config[key] = value == .null ? nil : value }
        try AtomicFile.write(JSONValue.object(config).encoded(), to: path + "/config.json")
        let file = try openTensorFile(source)
        var tensors: [String: NamedTensor] = [:]
        for name in file.names {
            tensors[name] = NamedTensor(
                name: name, shape: file.shape(of: name) ?? [], elements: try file.floats(name))
        }
        change(&tensors)
        try SafetensorsWriter.write(
            tensors.map { SafetensorsWriter.Entry(name: $0.key, shape: $0.value.shape) },
            to: path + "/model.safetensors"
        ) { tensors[$0.name]?.elements ?? [] }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension [String: NamedTensor] {
    /// Adds a tensor of one value.
    mutating func add(_ name: String, _ shape: [Int], value: Float = 0.5) {
        self[name] = NamedTensor(
            name: name, shape: shape,
            elements: [Float](repeating: value, count: shape.reduce(1, *)))
    }

    /// Renames the tensors.
    mutating func rename(_ name: (String) -> String) {
        self = Dictionary(uniqueKeysWithValues: map { (name($0.key), $0.value) })
    }
}
