import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite("Gradients of attention and norms compared with f64")
struct AttentionGradientTests {
    private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix<Float> {
        var matrix = Matrix<Float>(randomRows: rows, columns: columns, seed: seed)
        for index in matrix.elements.indices { matrix.elements[index] *= 4 }
        return matrix
    }

    @Test(
        "attention gradients agree for long sequences, groups of heads and odd widths",
        arguments: [
            (4, 2, 40, true, false), (3, 3, 8, false, false), (2, 1, 64, true, false),
            (6, 2, 33, false, false), (3, 3, 24, true, true), (4, 2, 8, false, true),
        ],
        [
            (1, Precision.f32, false), (2, .f32, false), (2, .bf16, false), (2, .bf16, true),
            (2, .bf16x2, true),
        ])
    func attention(
        _ shape: (Int, Int, Int, Bool, Bool),
        _ way: (threads: Int, precision: Precision, emulates: Bool)
    ) {
        let (query, keyValue, width, causal, isBiased) = shape
        var heads = AttentionHeads(query: query, keyValue: keyValue, dimension: width)
        let kept = (0..<query).map { 2 * $0 + 1 }
        if isBiased { heads.biasRows = kept }
        func term(_ row: Int, _ distance: Int) -> Float {
            isBiased ? Float(sin(1.3 * Double(row) + 0.7 * Double(distance))) : 0
        }
        let sequences = [0..<103, 103..<104, 104..<131]
        let fused = random(131, heads.fusedWidth, seed: 1)
        let gradient = random(131, heads.contextWidth, seed: 2)
        var result = Activations()
        let engine = way.emulates ? .emulated(threads: way.threads) : Engine(threads: way.threads)
        let byTerms = engine.differentiateAttention(
            Activations(fused), heads: heads, sequences: sequences, causal: causal,
            biases: isBiased
                ? ScoreBiases(heads: 2 * query, distances: -102...(causal ? 0 : 102), term: term)
                : nil,
            precision: way.precision, gradient: Activations(gradient), into: &result)
        var wantedByTerms = [Double](repeating: 0, count: query * 205)

        var wanted = [Double](repeating: 0, count: fused.elements.count)
        let scale = 1 / Double(width).squareRoot()
        func place(_ row: Int, _ head: Int) -> Int { row * heads.fusedWidth + head * width }
        for rows in sequences {
            for head in 0..<query {
                let key = query + head / (query / keyValue)
                let value = key + keyValue
                for row in rows {
                    let seen = rows.lowerBound..<(causal ? row + 1 : rows.upperBound)
                    func dot(_ a: (Int) -> Float, _ b: (Int) -> Float) -> Double {
                        (0..<width).reduce(0) { $0 + Double(a($1)) * Double(b($1)) }
                    }
                    let scores = seen.map { other in
                        exp(
                            Double(term(kept[head], other - row)) + scale
                                * dot(
                                    { fused.elements[place(row, head) + $0] },
                                    { fused.elements[place(other, key) + $0] }))
                    }
                    let total = scores.reduce(0, +)
                    let weights = scores.map { $0 / total }
                    let slopes = seen.map { other in
                        dot(
                            { gradient.elements[row * heads.contextWidth + head * width + $0] },
                            { fused.elements[place(other, value) + $0] })
                    }
                    let mean = zip(weights, slopes).reduce(0) { $0 + $1.0 * $1.1 }
                    for (index, other) in seen.enumerated() {
                        let byScore = weights[index] * (slopes[index] - mean)
                        wantedByTerms[head * 205 + other - row + 102] += byScore
                        let slope = scale * byScore
                        for i in 0..<width {
                            let given = Double(
                                gradient.elements[row * heads.contextWidth + head * width + i])
                            wanted[place(other, value) + i] += weights[index] * given
                            wanted[place(row, head) + i] +=
                                slope * Double(fused.elements[place(other, key) + i])
                            wanted[place(other, key) + i] +=
                                slope * Double(fused.elements[place(row, head) + i])
                        }
                    }
                }
            }
        }
        // Each factor has 8 bits, so scores, the logarithms of weights, have this relative error.
        expectClose(
            result.matrix.elements, wanted.map(Float.init),
            absolute: way.precision == .bf16 ? 0.15 : way.precision == .bf16x2 ? 1e-3 : 2e-4)
        #expect((byTerms != nil) == isBiased)
        guard let byTerms, way.precision == .f32 else { return }
        let got = (0..<query).flatMap { head in (-102...102).map { byTerms[head, $0] } }
        expectClose(got, wantedByTerms.map(Float.init), absolute: 5e-4)
    }

    @Test("blocks of queries fill the rows of tile registers", arguments: floatTables)
    func queryBlocks(table: FloatTable) {
        for precision in [Precision.f32, .bf16, .bf16x2] {
            let products = GradientProducts(table.kernels, precision)
            let usesTiles = table.kernels.formats[precision].tile_inputs > 0
            #expect(usesTiles ? products.queryBlock % 32 == 0 : products.queryBlock == 72)
        }
    }

    @Test(
        "norm gradients agree for any width, and do not depend on the number of threads",
        arguments: [1, 15, 16, 50], [false, true])
    func norms(width: Int, isCentred: Bool) {
        let rows = 300
        let (x, given) = (random(rows, width, seed: 3), random(rows, width, seed: 4))
        let weight = random(1, width, seed: 5).elements
        let epsilon: Float = 1e-2
        var answers: [[Float]] = []
        for threads in [1, 3] {
            var result = Activations(rows: rows, columns: width, repeating: 1)
            var (byWeight, byBias) = (
                [Float](repeating: 2, count: width), [Float](repeating: 3, count: width)
            )
            Engine(threads: threads).differentiateNorm(
                of: Activations(x), gradient: Activations(given), weight: weight,
                isCentred: isCentred, epsilon: epsilon, addingTo: &result,
                weightGradient: &byWeight, biasGradient: &byBias)
            answers.append(result.matrix.elements + byWeight + (isCentred ? byBias : []))
        }
        #expect(answers[0] == answers[1])

        var (byX, byWeight, byBias) = (
            [Double](), [Double](repeating: 2, count: width), [Double](repeating: 3, count: width)
        )
        for row in 0..<rows {
            let values = x.row(row).map(Double.init)
            let mean = isCentred ? values.reduce(0, +) / Double(width) : 0
            let spread = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
            let r = 1 / (spread + Double(epsilon)).squareRoot()
            let z = values.map { ($0 - mean) * r }
            let y = given.row(row).map(Double.init)
            let g = zip(y, weight).map { $0 * Double($1) }
            let first = isCentred ? g.reduce(0, +) / Double(width) : 0
            let second = zip(g, z).reduce(0) { $0 + $1.0 * $1.1 } / Double(width)
            byX += zip(g, z).map { 1 + r * ($0 - first - $1 * second) }
            for index in 0..<width {
                byWeight[index] += y[index] * z[index]
                byBias[index] += y[index]
            }
        }
        expectClose(
            answers[0], (byX + byWeight + (isCentred ? byBias : [])).map(Float.init),
            absolute: 2e-3, relative: 1e-4)
    }
}
