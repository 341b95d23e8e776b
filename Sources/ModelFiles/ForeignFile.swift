/// A file of another kind that was given as weights, and is identified by its first bytes.
struct ForeignFile {
    /// The kind of the file.
    let kind: String
    /// The remedy.
    let remedy: String

    /// Identifies a file; nil if its kind is not known.
    init?(_ file: InputFile) {
        guard let head = try? file.bytes(in: 0..<min(file.count, 512)) else { return nil }
        func begins(with text: String) -> Bool { head.starts(with: text.utf8) }
        if let pointer = Self(pointer: head) {
            self = pointer
        } else if begins(with: "GGUF") {
            self.init("it is a GGUF file", "rename it so that its name ends in .gguf")
        } else if begins(with: "PK\u{3}\u{4}") || head.starts(with: [0x80, 0x02]) {
            self.init(
                "it is a PyTorch file (pickle)",
                "convert it: load it with transformers and call save_pretrained")
        } else if head.starts(with: [0x1F, 0x8B]) || begins(with: "BZh") {
            self.init("it is compressed", "decompress it first")
        } else if head.starts(with: [0x89, 0x48, 0x44, 0x46]) {
            self.init("it is an HDF5 file (TensorFlow)", "use the model's safetensors")
        } else {
            self.init(text: head)
        }
    }

    /// Identifies a pointer file, which git stores in place of a large file.
    init?(pointer bytes: [UInt8]) {
        guard bytes.starts(with: "version https://git-lfs".utf8) else { return nil }
        self.init(
            "it is a git-LFS pointer, not the file itself",
            "run 'git lfs pull' in the repository, or fetch the file again")
    }

    /// Identifies a web page, a JSON file or another file of text.
    private init?(text head: [UInt8]) {
        let blank: [UInt8] = [0x09, 0x0A, 0x0D, 0x20, 0xEF, 0xBB, 0xBF]
        guard head.count >= 8, head.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || blank.contains($0) })
        else { return nil }
        let start = head.drop(while: blank.contains)
        let word = String(decoding: start.prefix(9), as: UTF8.self).lowercased()
        if word.hasPrefix("<!doctype") || word.hasPrefix("<html") || word.hasPrefix("<?xml") {
            self.init("it is a web page", "fetch the file itself; the address may need a login")
        } else if word.hasPrefix("{") || word.hasPrefix("[") {
            self.init("it is a JSON file", "give the path of the file with the weights")
        } else {
            self.init("it is a text file", "give the path of the file with the weights")
        }
    }

    private init(_ kind: String, _ remedy: String) {
        self.kind = kind
        self.remedy = remedy
    }

    /// Returns the error for a file that was given as weights; nil if its kind is not identified.
    static func error(of file: InputFile) -> ModelFileError? {
        Self(file).map {
            ModelFileError(file: file.path, problem: $0.kind, remedy: $0.remedy)
        }
    }
}
