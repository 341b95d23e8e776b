import ContextualSparsity
import Evaluation
import Foundation
import ModelFiles
import Profiling
import Pruning
import Reporting
import Tensors
import Tokenizers
import Training
import Transformers

/// Reads files of all kinds and uses the contents, like the commands.
enum Reader {
    private static let engine = Engine(threads: 1)

    /// Reads a file of a directory.
    ///
    /// - Parameters:
    ///   - name: The file.
    ///   - directory: The directory of the file, with the files that belong to it.
    /// - Throws: The error of a damaged file. Any other effect is a fault of the reader.
    static func read(_ name: String, in directory: String) throws {
        let path = directory + "/" + name
        if name == "model.gguf" { return try model(path) }
        if FileManager.default.fileExists(atPath: directory + "/config.json") {
            return try model(directory)
        }
        switch URL(fileURLWithPath: path).pathExtension {
        case "gguf", "safetensors": try tensors(path)
        case "jsonl", "csv", "tsv", "txt": text(path)
        case "bin": try sequences(path)
        default:
            if name.hasSuffix(".index.json") { return try tensors(path) }
            try json(path, name)
        }
    }

    private static func tensors(_ path: String) throws {
        let file = try openTensorFile(path)
        for name in file.names {
            guard let shape = file.shape(of: name), let floats = try? file.floats(name) else {
                continue
            }
            precondition(floats.count == shape.reduce(1, *), "a tensor does not fill its shape")
            _ = try? file.matrix(name)
        }
        _ = try? CalibrationFile(path: path)
    }

    private static func text(_ path: String) {
        try? RecordFile.visit(path) { _ in true }
        _ = try? TaskFile.read(path)
        _ = try? TaskFile.read(path, limit: 2, shots: 1)
        try? TextFile.visit(path, length: 16) { _ in }
        _ = try? InputFile(path: path).text(atMost: 64, runs: 4)
    }

    private static func sequences(_ path: String) throws {
        var file = try SequenceFile(path)
        for sequence in 0..<min(file.count, 100) { _ = try file[sequence] }
        _ = try file.removeLast(min(file.count, 2))
    }

    private static func json(_ path: String, _ name: String) throws {
        if name.contains("report") {
            let report = try PruneReport(json: Data(try InputFile(path: path).bytes))
            _ = try (report.json(), report.markdown, report.html)
        } else if name.contains("tokenizer") {
            try exercise(
                TokenizerFile.load(contentsOf: URL(fileURLWithPath: path), limit: 100_000))
        } else {
            if let table = try? LatencyTable(contentsOf: path) {
                precondition(
                    table.predict(Plan(keepingAllOf: table.shape)) > 0, "a time is not positive")
                precondition(table.maximumSpeedup >= 1, "a speedup is below 1")
                _ = try LatencyTable(json: table.json(), file: name)
            }
            _ = try JSONValue(parsing: try InputFile(path: path).bytes, file: path)
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            _ = try? JSONDecoder().decode(LossTable.self, from: data)
            _ = try? JSONDecoder().decode(Sensitivity.self, from: data)
            _ = try? JSONDecoder().decode([String: Plan].self, from: data)
        }
    }

    /// Opens a model, and runs it if opening succeeds.
    private static func model(_ path: String) throws {
        _ = try? ModelShape(contentsOf: path)
        let checkpoint = try Checkpoint(path)
        let (shape, config) = (checkpoint.shape, checkpoint.config)
        _ = config.encoded(layers: config.layers)
        _ = config.needsCode(for: shape.layers, hiddenSize: shape.hiddenSize)
        _ = try? checkpoint.tokenizerFiles()
        _ = try? checkpoint.otherTensors()
        let classifier = try? checkpoint.classifier()
        var ids: [Int32] = [0, 1, 2, 1]
        if let tokenizer = try? checkpoint.tokenizer() {
            try exercise(tokenizer)
            ids = tokenizer.encode("Anna found a cat.", addingSpecialTokens: true)
            _ = try? checkpoint.endTokens(with: tokenizer)
        }
        _ = try ContextualFile.read(beside: path, of: shape)
        let model = try Model(checkpoint, precision: .f32)
        ids = ids.filter { (0..<Int32(clamping: shape.vocabularySize)).contains($0) }
        ids = Array(ids.prefix(min(8, shape.maximumPositions)))
        guard !ids.isEmpty else { return }
        var pass = ForwardPass(model, on: engine)
        if shape.architecture.isEncoder {
            _ = pass.hiddenStates(of: TokenBatch([ids]))
        } else {
            pass.logits(of: TokenBatch([ids])) { _, _ in }
        }
        _ = try? TrainableModel(checkpoint, classifier: classifier)
    }

    private static func exercise(_ tokenizer: any Tokenizer) throws {
        let text = "ab1 <s> [CLS]  Anna foundé\u{301}'s\n\n  中🌳\u{0}"
        let ids = tokenizer.encode(text, addingSpecialTokens: true)
        let pair = tokenizer.encode(text, pair: "b")
        precondition(pair.ids.count == pair.typeIDs.count, "a token has no type id")
        precondition(ids.allSatisfy { 0..<tokenizer.vocabularySize ~= Int($0) }, "tokens")
        _ = tokenizer.decode(ids + [-1, 0, 7, .max, .min])
        if let bytePair = tokenizer as? BytePairTokenizer {
            _ = try TokenizerFile.load(contentsOf: bytePair.huggingFaceJSON())
        }
    }
}
