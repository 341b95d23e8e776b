import Foundation
import Tensors
import TestSupport
import Testing

@testable import Transformers

@Suite("Partial rotary positions") struct PartialRotaryTests {
    private var shape: ModelShape {
        var shape = ModelShape(
            architecture: .llama, vocabularySize: 40, hiddenSize: 32, headDimension: 16,
            maximumPositions: 24, normEpsilon: 1e-5, ropeTheta: 100, tiedHead: true,
            layers: [LayerShape](
                repeating: LayerShape(queryHeads: 2, keyValueHeads: 1, feedForward: 24), count: 2))
        shape.rotaryDimension = 4
        return shape
    }

    @Test("only the first channels of each head are rotated")
    func channels() throws {
        let table = try #require(RotaryTable(shape))
        let rows = Matrix<Float>(randomRows: 3, columns: 48, seed: 7)
        var turned = Activations(rows)
        Engine(threads: 1).rotate(
            &turned, heads: 2, dimension: 16, positions: [0, 5, 23], table: table)
        for row in 0..<3 {
            let position = Float([0, 5, 23][row])
            for column in 0..<48 {
                let (head, channel) = (column / 16, column % 16)
                guard head < 2, channel < 4 else {
                    #expect(turned[row, column] == rows[row, column])
                    continue
                }
                // The pairs are (0, 2) and (1, 3). The second pair rotates 10 times slower.
                let pair = channel % 2
                let angle = Double(position) * (pair == 0 ? 1 : 0.1)
                let (sine, cosine) = (sin(angle), cos(angle))
                let first = Double(rows[row, head * 16 + pair])
                let second = Double(rows[row, head * 16 + pair + 2])
                let want =
                    channel < 2 ? first * cosine - second * sine : second * cosine + first * sine
                #expect(abs(Double(turned[row, column]) - want) < 1e-5)
            }
        }
    }

    @Test("decoding with a cache gives the logits of the full sequence")
    func cache() throws {
        let model = try Model(RandomWeights(shape: shape))
        var pass = ForwardPass(model, on: Engine(threads: 1))
        let ids: [Int32] = [3, 1, 4, 1, 5, 9, 2, 6]
        let whole = pass.allLogits(of: TokenBatch([ids]))
        var cache = KeyValueCache(for: pass.model, capacity: ids.count)
        var logits = Activations()
        for (index, id) in ids.enumerated() {
            pass.advance([id], cache: &cache, logits: &logits)
            expectClose(Array(logits.row(0)), Array(whole.row(index)), absolute: 1e-4)
        }
    }

    @Test("a shape that rotates full heads is coded without the number of channels")
    func coding() throws {
        var whole = shape
        whole.rotaryDimension = nil
        let json = String(decoding: try JSONEncoder().encode(whole), as: UTF8.self)
        #expect(!json.contains("rotaryDimension"))
        #expect(whole.rotatedChannels == 16 && shape.rotatedChannels == 4)
        #expect(whole.rotaryFrequencies()?.count == 8 && shape.rotaryFrequencies()?.count == 2)
    }
}
