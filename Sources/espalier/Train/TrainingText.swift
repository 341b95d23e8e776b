import ModelFiles
import Pruning
import Tokenizers
import Training
import Transformers

/// Reads texts, and cuts them into sequences to train on.
///
/// Plain text, and records with `text`, are put one behind the other, with the end of text between
/// records, and cut into windows. A record with `prompt` and `completion` is a sequence of its own,
/// of which the completion is learnt.
struct TrainingText {
    let tokenizer: any Tokenizer
    /// The most tokens of a sequence.
    let length: Int

    /// The sequences of files, in order.
    ///
    /// - Throws: `ModelFileError` that names the file, or the line of a record, at fault.
    func sequences(of paths: [String]) throws(ModelFileError) -> [TextSequence] {
        var sequences: [TextSequence] = []
        var packed: [Int32] = []
        for path in paths {
            guard RecordFile.isNamed(path) else {
                if !packed.isEmpty { packed += tokens("\n") }
                packed += tokens(String(decoding: try MappedFile(path: path).bytes, as: UTF8.self))
                continue
            }
            try RecordFile.visit(path) { record throws(ModelFileError) in
                let end = [tokenizer.endOfText].compactMap(\.self)
                if let prompt = record.members["prompt"]?.string,
                    let completion = record.members["completion"]?.string
                {
                    let before = tokens(prompt)
                    let whole = (before + tokens(completion) + end).prefix(length)
                    if before.count < whole.count {
                        sequences.append(TextSequence(Array(whole), firstLearnt: before.count))
                    }
                } else if let text = record.members["text"]?.string {
                    packed += tokens(text) + end
                } else {
                    throw ModelFileError(
                        file: record.place,
                        problem: "it has neither \"text\" nor \"prompt\" and \"completion\"",
                        remedy: "name the members, or the columns of a table, so")
                }
                return true
            }
        }
        return windows(of: packed, length: length).map { TextSequence($0) } + sequences
    }

    /// The pieces of paragraphs of files, or of members `text`, each between an encoder's special
    /// tokens.
    ///
    /// - Throws: As ``sequences(of:)`` does.
    func pieces(of paths: [String]) throws(ModelFileError) -> [TextSequence] {
        var contents = ""
        for path in paths {
            guard RecordFile.isNamed(path) else {
                contents += String(decoding: try MappedFile(path: path).bytes, as: UTF8.self) + "\n"
                continue
            }
            try RecordFile.visit(path) { record throws(ModelFileError) in
                guard let text = record.members["text"]?.string else {
                    throw ModelFileError(
                        file: record.place, problem: "it has no \"text\"",
                        remedy: "name the member, or the column of a table, so")
                }
                contents += text + "\n"
                return true
            }
        }
        return framedPieces(of: contents, tokenizer: tokenizer, length: length)
            .map { TextSequence($0) }
    }

    private func tokens(_ text: String) -> [Int32] {
        tokenizer.encode(text, addingSpecialTokens: false)
    }
}
