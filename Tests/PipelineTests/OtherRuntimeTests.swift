import Foundation
import ModelFiles
import Profiling
import Pruning
import Testing
import Transformers

@testable import Pipeline

@Suite("Files for other runtimes")
struct OtherRuntimeTests {
    @Test("ONNX Runtime gets a graph with the formats of a model, and a command gets floats")
    func formats() throws {
        let (scratch, dense) = (try Scratch(), try Checkpoint(Tiny.llama))
        let formats = Formats(uniform: .int8, layers: dense.shape.layers.count)
        let path = scratch.path("model")
        try HuggingFaceDirectory.write(
            FormattedWeights(dense, formats: formats), like: dense, to: path, formats: formats)
        let model = try OpenedModel(path, progress: SilentProgress())
        /// Returns the formats of the model in the files of a runtime.
        func emitted(_ runtime: Runtime, _ folder: String) throws -> Formats? {
            let environment = InferenceEnvironment(
                phase: .decode, batch: 1, sequence: 8, threads: 1, precision: .f32,
                runtime: runtime.name)
            let other = try #require(
                try OtherRuntime(
                    environment, folder: scratch.path(folder), progress: SilentProgress()))
            let emitted = try other.emit(model).path
            #expect(emitted.hasSuffix("/model.onnx") == (runtime == .onnxRuntime))
            return try Checkpoint(emitted.replacing("/model.onnx", with: "")).formats
        }
        #expect(try emitted(.onnxRuntime, "same") == formats)
        #expect(try emitted(.command("true"), "floats") == nil)
        try FileManager.default.removeItem(atPath: path + "/model.onnx")
        #expect(try emitted(.onnxRuntime, "new") == formats)
    }
}
