internal import ModelFiles
internal import Pruning
internal import Tokenizers
internal import Training
internal import Transformers

/// Reads texts, and cuts them into sequences for training.
///
/// Plain text and records with `text` are joined and cut into windows. An end-of-text token follows
/// each record. A record with `prompt` and `completion` is a separate sequence, and only its
/// completion counts in the loss. If a prompt would leave less than half of the window to the
/// completion, only the end of the prompt is used.
struct TrainingText {
    let tokenizer: any Tokenizer
    /// The maximum number of tokens of a sequence.
    let length: Int

    /// Calls `body` with the sequences of files as they are read.
    ///
    /// - Throws: `ModelFileError` that names the file or the line of the record, or the error of
    ///   `body`.
    func visitSequences(
        of paths: [String], _ body: (TextSequence) throws(ModelFileError) -> Void
    ) throws(ModelFileError) {
        var packed: [Int32] = []
        func pack(_ tokens: [Int32]) throws(ModelFileError) {
            packed += tokens
            let whole = packed.count / length * length
            for first in stride(from: 0, to: whole, by: length) {
                try body(TextSequence(Array(packed[first..<first + length])))
            }
            packed.removeFirst(whole)
        }
        let end = [tokenizer.endOfText].compactMap(\.self)
        try visit(paths) { text, isFirst throws(ModelFileError) in
            if isFirst, !packed.isEmpty { try pack(tokens("\n")) }
            try pack(tokens(text))
        } record: { record throws(ModelFileError) in
            if let prompt = record.members["prompt"]?.string,
                let completion = record.members["completion"]?.string
            {
                let before = tokens(prompt)
                let answer = (tokens(completion) + end).prefix(
                    length - min(before.count, length / 2))
                let start = before.suffix(length - answer.count)
                if !answer.isEmpty {
                    try body(TextSequence(Array(start) + answer, lossStart: start.count))
                }
            } else if let text = record.members["text"]?.string {
                try pack(tokens(text) + end)
            } else {
                throw record.lacks("neither \"text\" nor \"prompt\" and \"completion\"")
            }
        }
        // A single token has no context to be predicted from.
        if packed.count > 1 { try body(TextSequence(packed)) }
    }

    /// Calls `body` with pieces of the paragraphs of files, or of the fields `text`.
    ///
    /// Each piece begins and ends with the special tokens of an encoder.
    ///
    /// - Throws: The errors of ``visitSequences(of:_:)``.
    func visitPieces(
        of paths: [String], _ body: (TextSequence) throws(ModelFileError) -> Void
    ) throws(ModelFileError) {
        func cut(_ text: String) throws(ModelFileError) {
            for piece in framedPieces(of: text, tokenizer: tokenizer, length: length) {
                try body(TextSequence(piece))
            }
        }
        try visit(paths) { text, _ throws(ModelFileError) in
            try cut(text)
        } record: { record throws(ModelFileError) in
            try cut(try record.text())
        }
    }

    /// Returns the prompts of files: fields `prompt` of records, or the first halves of windows of
    /// text.
    ///
    /// - Throws: The errors of ``visitSequences(of:_:)``.
    func prompts(of paths: [String]) throws(ModelFileError) -> [String] {
        var prompts: [String] = []
        try visit(paths.filter(RecordFile.isNamed)) { _, _ in
        } record: { record throws(ModelFileError) in
            guard let prompt = record.members["prompt"]?.string else {
                throw record.lacks("no \"prompt\"")
            }
            prompts.append(prompt)
        }
        try visitSequences(of: paths.filter { !RecordFile.isNamed($0) }) { window in
            prompts.append(tokenizer.decode(Array(window.ids.prefix(max(1, window.ids.count / 2)))))
        }
        return prompts
    }

    /// Reads the files in order: plain text piece by piece, other files record by record.
    private func visit(
        _ paths: [String],
        text: (_ piece: String, _ isFirst: Bool) throws(ModelFileError) -> Void,
        record: (RecordFile.Record) throws(ModelFileError) -> Void
    ) throws(ModelFileError) {
        for path in paths {
            guard RecordFile.isNamed(path) else {
                var isFirst = true
                try TextFile.visit(path) { piece throws(ModelFileError) in
                    try text(piece, isFirst)
                    isFirst = false
                }
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
