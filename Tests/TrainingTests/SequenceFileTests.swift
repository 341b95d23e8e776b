import Foundation
import Testing
import Transformers

@testable import Training

@Suite("Sequence files")
struct SequenceFileTests {
    private func withFile(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "sequences-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test(
        "written sequences are read, without the last sequences on request",
        arguments: [1, 40, 3000])
    func roundTrip(count: Int) throws {
        let sequences = (0..<count).map { index in
            TextSequence(
                (0..<1 + index * 7 % 300).map { Int32(index * 31 + $0) }, lossStart: index % 5)
        }
        try withFile { path in
            var writer = try SequenceFile.Writer(path)
            for sequence in sequences { try writer.append(sequence) }
            try writer.append(TextSequence([]))
            try writer.commit()
            var file = try SequenceFile(path)
            #expect(file.count == count)
            #expect(try (0..<count).allSatisfy { try file[$0] == sequences[$0] })
            #expect(try file.removeLast(1) == [sequences[count - 1]])
            #expect(file.count == count - 1)
        }
    }

    @Test("training with sequences from disk gives the same results")
    func training() throws {
        let sequences = (0..<9).map { start in
            let ids = (0..<12).map { place in 3 + (start * 5 + place * 7) % 80 }
            return TextSequence(ids.map(Int32.init))
        }
        try withFile { path in
            var writer = try SequenceFile.Writer(path)
            for sequence in sequences { try writer.append(sequence) }
            try writer.commit()
            let checkpoint = try TorchGradients.checkpoint("llama")
            func losses(_ data: TrainingData) throws -> [Double] {
                var settings = Trainer.Settings(steps: 6, rate: 0.001)
                settings.batch = 2
                var trainer = Trainer(
                    try TrainableModel(checkpoint), on: data, settings: settings,
                    engine: .init(threads: 1))
                return try (0..<6).map { _ in try trainer.advance().loss }
            }
            #expect(
                try losses(.stored(SequenceFile(path))) == losses(.text(sequences)))
        }
    }

    @Test("damaged files give an error")
    func damaged() throws {
        try withFile { path in
            var writer = try SequenceFile.Writer(path)
            try writer.append(TextSequence([1, 2, 3]))
            try writer.commit()
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            for count in 0..<whole.count {
                try whole.prefix(count).write(to: URL(fileURLWithPath: path))
                #expect(throws: (any Error).self) { try SequenceFile(path) }
            }
            var changed = whole
            for place in 12..<28 {
                changed = whole
                changed[place] = 0xff
                try changed.write(to: URL(fileURLWithPath: path))
                _ = try? SequenceFile(path)
            }
        }
    }
}
