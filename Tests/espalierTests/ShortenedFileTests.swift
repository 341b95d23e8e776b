import Foundation
import Testing

@Suite("Files that are shortened while they are read")
struct ShortenedFileTests {
    private static let text = Fixture.folder + "/text/calibration.txt"

    /// Commands and the files that they read.
    private static let commands: [(words: [String], files: [String])] = [
        (["inspect", "MODEL"], ["config.json", "model.safetensors"]),
        (["generate", "MODEL", "--prompt", "Anna", "-n", "100"], ["model.safetensors"]),
        (
            ["evaluate", "MODEL", "--text", "TEXT", "--window", "64"],
            ["model.safetensors", "tokenizer.json", "text.txt"]
        ),
        (
            ["export", "MODEL", "--format", "huggingface", "-o", "OUT"],
            ["model.safetensors", "tokenizer.json"]
        ),
        (
            [
                "finetune", "MODEL", "--text", "TEXT", "--steps", "3", "--length", "32", "-o",
                "OUT",
            ], ["model.safetensors", "text.txt"]
        ),
        (["bench", "MODEL", "--seconds", "0.2"], ["model.safetensors"]),
    ]

    @Test(
        "a shortened file gives one error that names it", arguments: commands.indices,
        [0, 9000])
    func shortened(command: Int, length: Int) throws {
        let (words, files) = Self.commands[command]
        for (file, milliseconds) in files.flatMap({ file in [0, 25, 80].map { (file, $0) } }) {
            let scratch = try Scratch()
            let model = scratch.path("model")
            try FileManager.default.copyItem(atPath: Fixture.llama, toPath: model)
            try FileManager.default.copyItem(atPath: Self.text, toPath: model + "/text.txt")
            let places = [
                "MODEL": model, "TEXT": model + "/text.txt", "OUT": scratch.path("out"),
            ]
            let running = try Program.start(words.map { places[$0] ?? $0 })
            usleep(UInt32(milliseconds) * 1000)
            truncate(model + "/" + file, off_t(length))
            let outcome = try running.finish()
            #expect(outcome.status <= 1, "\(words) \(file) \(milliseconds) ms: \(outcome)")
            if outcome.status == 1 {
                #expect(outcome.errors.contains(model), "\(outcome.errors)")
                #expect(!FileManager.default.fileExists(atPath: scratch.path("out/config.json")))
            }
        }
    }
}
