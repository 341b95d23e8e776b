import Foundation
import Testing

@testable import Transformers

@Suite("Families as data") struct ArchitectureTests {
    private let shape = ModelShape(
        architecture: .gpt2, vocabularySize: 96, hiddenSize: 48, headDimension: 12,
        maximumPositions: 64, normEpsilon: 1e-5, ropeTheta: 10_000, tiedHead: true,
        layers: [LayerShape(queryHeads: 4, keyValueHeads: 4, feedForward: 192)])

    @Test("a shape is coded with the name of the architecture, and can be read")
    func coding() throws {
        let json = try JSONEncoder().encode(shape)
        #expect(String(decoding: json, as: UTF8.self).contains(#""architecture":"gpt2""#))
        let again = try JSONDecoder().decode(ModelShape.self, from: json)
        #expect(again == shape && again.architecture.layer.activation == .tanhGELU)
    }

    @Test("the error for an unknown architecture lists the known names")
    func unknown() {
        let error = #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([Architecture].self, from: Data(#"["mamba"]"#.utf8))
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("mamba") && text.contains("llama"))
    }

    @Test("names of families and of architectures are unique")
    func names() {
        #expect(Set(Family.all.map(\.name)).count == Family.all.count)
        #expect(Set(Family.all.map(\.className)).count == Family.all.count)
        let architectures = Architecture.all.map(\.name)
        #expect(Set(architectures).count == architectures.count)
        #expect(Array(architectures.prefix(4)) == ["bert", "llama", "gpt2", "opt"])
    }

    @Test("the fields of a family agree with its architecture", arguments: Family.all)
    func consistent(family: Family) {
        let (architecture, names) = (family.architecture, family.tensorNames)
        #expect((names.positions != nil) == (architecture.positions == .learned))
        #expect((names.gate != nil) == architecture.layer.isGated)
        let place = architecture.layer.normPlace
        for (first, output) in [
            (names.attentionNorm, names.attentionOutputNorm),
            (names.feedForwardNorm, names.feedForwardOutputNorm),
        ] {
            #expect((first != nil) == (place.normalisesInput || place.normalisesSum))
            #expect((output != nil) == place.normalisesOutput)
        }
        #expect((names.finalNorm != nil) == architecture.hasFinalNorm)
        #expect((names.embeddingNorm != nil) == architecture.normalisesEmbeddings)
        #expect((names.types != nil) == (family.config.usualSegmentTypes > 0))
        #expect((names.head != nil) == architecture.isCausal)
        #expect(family.heads.isEmpty == architecture.isCausal)
        #expect(family.config.fixedWeights.isSuperset(of: architecture.layer.biases))
    }
}
