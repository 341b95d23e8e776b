import ModelFiles
import Tensors
import Testing
import Transformers

@testable import Profiling

@Suite("Timed workloads")
struct WorkloadTests {
    @Test("a model with fewer heads can decode a text")
    func fewerHeads() throws {
        let dense = try Model(RandomWeights(shape: smallShape))
        let environment = InferenceEnvironment(
            phase: .decode, batch: 1, sequence: 8, threads: 1, precision: .f32)
        var workload = try Workload(
            environment, model: dense, text: (0..<20).map { $0 * 7 }, engine: Engine(threads: 1))
        var shape = smallShape
        shape.layers[1] = LayerShape(queryHeads: 2, keyValueHeads: 1, feedForward: 64)
        shape.layers[2] = LayerShape(queryHeads: 0, keyValueHeads: 0, feedForward: 96)
        let smaller = workload.standIn(shape)
        #expect(smaller.shape == shape)
        for model in [dense, smaller, dense] {
            let sample = workload.sample(model)
            #expect(sample.seconds.isFinite && (1e-7...60).contains(sample.seconds))
        }
    }
}
