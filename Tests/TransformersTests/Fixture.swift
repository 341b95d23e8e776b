import Foundation
import Tensors
import Testing

@testable import Transformers

/// The reference data of these tests.
enum Fixture {
    static func path(_ name: String) -> String {
        Bundle.module.bundleURL.appendingPathComponent("Fixtures/\(name)").path
    }

    static func decode<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    static func pass(_ name: String, threads: Int = 2) throws -> ForwardPass {
        ForwardPass(try Model(Checkpoint(path(name))), on: Engine(threads: threads))
    }
}

/// The real models that `scripts/fetch-models` downloads.
enum RealModels {
    static let cache =
        ProcessInfo.processInfo.environment["ESPALIER_CACHE"]
        ?? NSHomeDirectory() + "/.cache/espalier"
    static let smolLM2 = cache + "/models/SmolLM2-135M-Instruct.Q4_1.gguf"
    static let miniLM = cache + "/models/all-MiniLM-L6-v2"

    /// Whether to run tests on these models: if they exist, and always in CI, where missing models
    /// are a failure.
    static let areExpected =
        ProcessInfo.processInfo.environment["CI"] != nil
        || FileManager.default.fileExists(atPath: smolLM2)
            && FileManager.default.fileExists(atPath: miniLM)
}

extension ForwardPass {
    /// Returns all logits of a batch, `[tokens, vocabulary]`.
    mutating func allLogits(of batch: TokenBatch, rowsAtOnce: Int = 5) -> Matrix<Float> {
        var all: [Float] = []
        logits(of: batch, rowsAtOnce: rowsAtOnce) { _, logits in all += logits.matrix.elements }
        return Matrix(
            rows: batch.ids.count, columns: model.shape.vocabularySize, elements: all)
    }
}
