import CKernels
import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite("Attention to a cache in 8 bits")
struct CachedAttentionTests {
    /// Sizes of one call: more heads than are computed together, odd widths, parts of panels and of
    /// blocks.
    private static let sizes: [(heads: Int, keys: Int, width: Int, first: Int)] = [
        (1, 1, 1, 0), (3, 40, 64, 0), (3, 40, 64, 37), (7, 33, 30, 5), (2, 1100, 80, 600),
        (4, 1027, 33, 0), (5, 64, 512, 32),
    ]

    @Test("it agrees with the definition", arguments: floatTables, sizes)
    func definition(
        table: FloatTable, sizes: (heads: Int, keys: Int, width: Int, first: Int)
    ) {
        let (heads, keys, width, first) = sizes
        let places = PackedWeights.padded(keys)
        let (inputs, columns) = ((width + 1) / 2 * 2, (width + 15) / 16 * 16)
        let queries = randomFloats(heads * width, seed: 1)
        var (k, v) = (randomFloats(keys * width, seed: 2), randomFloats(keys * width, seed: 3))
        // A row whose codes have a small scale, and a row of zeros.
        for column in 0..<width { k[column] *= 1e-3 }
        if keys > 2 { for column in 0..<width { v[2 * width + column] = 0 } }
        let exact = (k, v)
        var keyCodes = [Int8](repeating: 0, count: places * inputs)
        var valueCodes = [Int8](repeating: 0, count: places * columns)
        var keyScales = [Float](repeating: 0, count: places)
        var valueScales = keyScales
        k.withUnsafeMutableBufferPointer { rows in
            keyCodes.withUnsafeMutableBufferPointer { codes in
                for key in 0..<keys {
                    keyScales[key] = table.kernels.cache_int8(
                        rows.baseAddress! + key * width, width,
                        codes.baseAddress! + key / 32 * 32 * inputs + key % 32 * 2, 64, 1)
                }
            }
        }
        v.withUnsafeMutableBufferPointer { rows in
            valueCodes.withUnsafeMutableBufferPointer { codes in
                for key in 0..<keys {
                    valueScales[key] = table.kernels.cache_int8(
                        rows.baseAddress! + key * width, width,
                        codes.baseAddress! + key / 2 * 2 * columns + key % 2, 4, 2)
                }
            }
        }
        for (rounded, exact) in [(k, exact.0), (v, exact.1)] {
            for key in 0..<keys {
                let row = key * width..<(key + 1) * width
                let largest = exact[row].map(abs).max()!
                #expect(
                    zip(rounded[row], exact[row]).allSatisfy {
                        abs($0 - $1) <= largest / 254 * 1.0001
                    })
            }
        }
        let terms = randomFloats(keys, seed: 4)
        for changed in [false, true] {
            var scores = [Float](
                repeating: 7, count: heads * (places + columns / 2 * 3))
            var out = [Float](repeating: 0, count: heads * width + 1)
            var rule = ck_scores(window: 0, cap: 0.5, bias: nil)
            terms.withUnsafeBufferPointer { terms in
                rule.bias = terms.baseAddress.map { $0 + first }
                keyCodes.withUnsafeBufferPointer { keyCodes in
                    valueCodes.withUnsafeBufferPointer { valueCodes in
                        keyScales.withUnsafeBufferPointer { keyScales in
                            valueScales.withUnsafeBufferPointer { valueScales in
                                table.kernels.attend_cached(
                                    queries, width, heads,
                                    ck_cached_head(
                                        keys: keyCodes.baseAddress!,
                                        values: valueCodes.baseAddress!,
                                        key_scales: keyScales.baseAddress!,
                                        value_scales: valueScales.baseAddress!),
                                    first, keys, 0.25, changed ? [rule] : nil, &scores, &out)
                            }
                        }
                    }
                }
            }
            #expect(out.removeLast() == 0, "wrote past the results")
            let want = (0..<heads).flatMap { head -> [Float] in
                let weights = (first..<keys).map { key -> Double in
                    var score = 0.0
                    for column in 0..<width {
                        score +=
                            Double(queries[head * width + column])
                            * Double(k[key * width + column])
                    }
                    score *= 0.25
                    if changed { score = 0.5 * tanh(score / 0.5) + Double(terms[key]) }
                    return exp(score)
                }
                let total = weights.reduce(0, +)
                return (0..<width).map { column in
                    var sum = 0.0
                    for (index, weight) in weights.enumerated() {
                        sum += weight / total * Double(v[(first + index) * width + column])
                    }
                    return Float(sum)
                }
            }
            expectClose(out, want, absolute: 2e-3)
        }
    }

    @Test(
        "decoding with a cache computes what attention within rounded sequences computes",
        arguments: [1, 2], [Int?.none, 7])
    func sequences(threads: Int, window: Int?) {
        let engine = Engine(threads: threads)
        var heads = AttentionHeads(query: 6, keyValue: 2, dimension: 24)
        heads.window = window
        let (sequences, tokens) = (2, 41)
        let whole = Activations(
            Matrix(randomRows: sequences * tokens, columns: heads.fusedWidth, seed: 1))
        var rounded = whole
        engine.roundKeysAndValues(of: &rounded, heads: heads, precision: .int8)
        #expect(rounded.matrix != whole.matrix)
        var scratch = AttentionScratch()
        var want = Activations()
        want.reshape(rows: whole.rows, columns: heads.contextWidth)
        engine.attend(
            rounded, heads: heads, sequences: [0..<tokens, tokens..<2 * tokens], causal: true,
            into: &want, scratch: &scratch)

        var cache = AttentionCache(
            heads: heads, capacity: tokens, sequences: sequences, precision: .int8)
        var first = 0
        // Some tokens at the start, single tokens, and some tokens after others.
        for count in [30, 1, 1, 9] {
            let rows = (0..<sequences).flatMap { sequence in
                (first..<first + count).map { sequence * tokens + $0 }
            }
            var fused = Activations(whole.matrix.selecting(rows: rows))
            engine.store(&fused, heads: heads, in: &cache, after: first)
            var context = Activations()
            context.reshape(rows: rows.count, columns: heads.contextWidth)
            engine.attend(
                fused, heads: heads, cache: cache, count: first + count, precision: .int8,
                into: &context, scratch: &scratch)
            first += count
            expectClose(
                context.matrix.elements, want.matrix.selecting(rows: rows).elements, absolute: 2e-2)
        }
    }

    @Test("a token of a cache in 8 bits has a quarter of the bytes of floats, and scales")
    func bytes() {
        let heads = AttentionHeads(query: 9, keyValue: 3, dimension: 64)
        #expect(AttentionCache.bytes(of: heads, precision: .f32) == 2 * 3 * 64 * 4)
        #expect(AttentionCache.bytes(of: heads, precision: .bf16) == 2 * 3 * 64 * 4)
        #expect(AttentionCache.bytes(of: heads, precision: .int4) == 2 * 3 * (64 + 4))
        let wide = AttentionHeads(query: 1, keyValue: 1, dimension: 513)
        #expect(AttentionCache.bytes(of: wide, precision: .int8) == 2 * 513 * 4)
    }
}
