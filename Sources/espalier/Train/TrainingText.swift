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
        try visit(paths) { text in
            if !packed.isEmpty { packed += tokens("\n") }
            packed += tokens(text)
        } record: { record throws(ModelFileError) in
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
                throw record.lacks("neither \"text\" nor \"prompt\" and \"completion\"")
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
        try visit(paths) { text in
            contents += text + "\n"
        } record: { record throws(ModelFileError) in
            guard let text = record.members["text"]?.string else {
                throw record.lacks("no \"text\"")
            }
            contents += text + "\n"
        }
        return framedPieces(of: contents, tokenizer: tokenizer, length: length)
            .map { TextSequence($0) }
    }

    /// The prompts of files: members `prompt` of records, or the first halves of windows of text.
    ///
    /// - Throws: As ``sequences(of:)`` does.
    func prompts(of paths: [String]) throws(ModelFileError) -> [String] {
        var prompts: [String] = []
        try visit(paths.filter(RecordFile.isNamed)) { _ in
        } record: { record throws(ModelFileError) in
            guard let prompt = record.members["prompt"]?.string else {
                throw record.lacks("no \"prompt\"")
            }
            prompts.append(prompt)
        }
        let windows = try sequences(of: paths.filter { !RecordFile.isNamed($0) })
        return prompts
            + windows.map { tokenizer.decode(Array($0.ids.prefix(max(1, $0.ids.count / 2)))) }
    }

    /// Visits the files in order: plain text as a whole, others record by record.
    private func visit(
        _ paths: [String], text: (String) -> Void,
        record: (RecordFile.Record) throws(ModelFileError) -> Void
    ) throws(ModelFileError) {
        for path in paths {
            guard RecordFile.isNamed(path) else {
                text(String(decoding: try MappedFile(path: path).bytes, as: UTF8.self))
                continue
            }
            try RecordFile.visit(path) { found throws(ModelFileError) in
                try record(found)
                return true
            }
        }
    }

    private func tokens(_ text: String) -> [Int32] {
        tokenizer.encode(text, addingSpecialTokens: false)
    }
}

extension RecordFile.Record {
    /// What is wrong with a record without the members that are needed.
    fileprivate func lacks(_ members: String) -> ModelFileError {
        ModelFileError(
            file: place, problem: "it has \(members)",
            remedy: "name the members, or the columns of a table, so")
    }
}
