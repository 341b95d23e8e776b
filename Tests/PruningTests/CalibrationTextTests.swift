import Foundation
import Tensors
import Testing
import Transformers

@testable import Pruning

@Suite("CalibrationText")
struct CalibrationTextTests {
    @Test("windows of a stream are in order, depend on the seed, and are never held-out windows")
    func stream() throws {
        let tokenizer = try Checkpoint(TinyModel.path("tiny-llama")).tokenizer()
        let story = try TinyModel.story()
        let ids = tokenizer.encode(story, addingSpecialTokens: false)
        func cut(tokens: Int, seed: UInt64) -> CalibrationText {
            CalibrationText(
                stream: story, tokenizer: tokenizer, tokens: tokens, length: 32, seed: seed)
        }
        let all = stride(from: 0, to: ids.count - 31, by: 32).map { Array(ids[$0..<$0 + 32]) }
        let text = cut(tokens: 1000, seed: 1)
        #expect(text.calibration.count == 32 && text.heldOut.count == 8)
        let places = try text.calibration.map { try #require(all.firstIndex(of: $0)) }
        let held = try text.heldOut.map { try #require(all.firstIndex(of: $0)) }
        #expect(places == places.sorted() && Set(places).isDisjoint(with: held))
        #expect(try #require(held.min()) >= all.count - all.count / 10)
        #expect(cut(tokens: 1000, seed: 1).calibration == text.calibration)
        #expect(cut(tokens: 1000, seed: 2).calibration != text.calibration)
        let most = cut(tokens: 1 << 30, seed: 3)
        #expect(most.calibration + most.heldOut == all)
    }

    @Test("paragraphs are between special tokens, and have at most the requested length")
    func paragraphs() throws {
        let tokenizer = try Checkpoint(TinyModel.path("tiny-bert")).tokenizer()
        let story = try TinyModel.story()
        let frame = tokenizer.encode("", addingSpecialTokens: true)
        func cut(seed: UInt64) -> CalibrationText {
            CalibrationText(
                paragraphs: story, tokenizer: tokenizer, tokens: 600, length: 24, seed: seed)
        }
        let text = cut(seed: 1)
        #expect(!text.calibration.isEmpty && !text.heldOut.isEmpty)
        for piece in text.calibration + text.heldOut {
            #expect(piece.count <= 24 && piece.count >= 10)
            #expect(piece.first == frame.first && piece.last == frame.last)
        }
        #expect(Set(text.calibration).isDisjoint(with: text.heldOut))
        #expect(cut(seed: 1).heldOut == text.heldOut)
        #expect(cut(seed: 2).calibration != text.calibration)
        let whole = try #require(story.split(separator: "\n").first)
        let ids = tokenizer.encode(String(whole), addingSpecialTokens: false)
        let pieces = framedPieces(of: String(whole), tokenizer: tokenizer, length: 24)
        #expect(
            pieces.flatMap { $0.dropFirst().dropLast() } == Array(ids.prefix(22 * pieces.count)))
    }

    @Test(
        "short, empty or invalid texts are divided without an error",
        arguments: ["", " ", "a", "\n\n\n", "a b c", "\u{0}\u{FFFD}\u{FFFD}\r\n\u{1F333}"])
    func scraps(text: String) throws {
        for name in TinyModel.names {
            let tokenizer = try Checkpoint(TinyModel.path(name)).tokenizer()
            for length in [2, 3, 64] {
                let stream = CalibrationText(
                    stream: text, tokenizer: tokenizer, tokens: 100, length: length, seed: 1)
                let paragraphs = CalibrationText(
                    paragraphs: text, tokenizer: tokenizer, tokens: 100, length: length, seed: 1)
                for pieces in [stream.calibration, stream.heldOut, paragraphs.calibration] {
                    #expect(pieces.allSatisfy { $0.count > 1 && $0.count <= max(length, 3) })
                }
            }
        }
    }

    @Test("the error for a short text says how much text encoders and decoders need")
    func shortage() throws {
        let story = try TinyModel.story()
        for name in TinyModel.names {
            let tokenizer = try Checkpoint(TinyModel.path(name)).tokenizer()
            func cut(_ text: String, tokens: Int) -> CalibrationText {
                name == "tiny-bert"
                    ? CalibrationText(
                        paragraphs: text, tokenizer: tokenizer, tokens: tokens, length: 32, seed: 1)
                    : CalibrationText(
                        stream: text, tokenizer: tokenizer, tokens: tokens, length: 32, seed: 1)
            }
            #expect(cut(story, tokens: 1 << 20).shortage(of: 1 << 20) == nil)
            let few = cut(story, tokens: 256)
            #expect(few.shortage(of: 256) == nil)
            #expect(few.heldOut.reduce(0) { $0 + $1.count } >= CalibrationText.minimumHeldOut)
            let lines = story.split(separator: "\n").prefix(3).joined(separator: "\n")
            let shortage = try #require(cut(lines, tokens: 1 << 20).shortage(of: 1 << 20))
            #expect(shortage.contains("too short") && shortage.contains("1024 and 128"))
        }
    }

    @Test("batches contain all sequences in order")
    func gathering() {
        let sequences: [[Int32]] = [[1], [2, 3], [4, 5, 6], [7], [8]]
        let got = batches(of: sequences, tokens: 3)
        #expect(got.map(\.ids) == [[1, 2, 3], [4, 5, 6], [7, 8]])
        #expect(got.map(\.sequences.count) == [2, 1, 2])
        #expect(batches(of: [], tokens: 3).isEmpty)
    }

    @Test("a decoder generates texts of the requested length from its own distribution")
    func sampled() throws {
        let tiny = try TinyModel("tiny-llama")
        func write(_ seed: UInt64) throws -> [[Int32]] {
            var seen: [Int] = []
            let texts = try SampledText.sequences(
                from: tiny.model, on: tiny.engine, continuing: [[5], [5], [5, 9]], length: 60,
                seed: seed
            ) { seen.append($0) }
            #expect(seen.last == 180 && seen == seen.sorted())
            return texts
        }
        let texts = try write(7)
        #expect(texts.count == 3 && Set(texts).count == 3 && texts[2][1] == 9)
        #expect(texts.allSatisfy { $0.count == 60 && $0[0] == 5 })
        #expect(texts.joined().allSatisfy { 0 <= $0 && $0 < Int32(tiny.shape.vocabularySize) })
        #expect(try write(7) == texts)
        #expect(try write(8) != texts)
        var pass = ForwardPass(tiny.model, on: tiny.engine)
        var (nll, count) = (0.0, 0)
        pass.logits(of: TokenBatch(texts)) { rows, logits in
            for row in 0..<rows.count where (rows.lowerBound + row) % 60 < 59 {
                let place = rows.lowerBound + row
                let values = logits.row(row).map(Double.init)
                let target = Int(texts[place / 60][place % 60 + 1])
                nll += log(values.reduce(0) { $0 + exp($1) }) - values[target]
                count += 1
            }
        }
        #expect(nll / Double(count) < 0.6 * log(Double(tiny.shape.vocabularySize)))
    }
}
