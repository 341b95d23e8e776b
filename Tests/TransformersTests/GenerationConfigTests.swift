import Foundation
import ModelFiles
import Testing
import Transformers

@Suite("Generation configurations")
struct GenerationConfigTests {
    private func ends(_ text: String?) throws -> [Int] {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("espalier-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        if let text {
            try Data(text.utf8)
                .write(to: directory.appendingPathComponent("generation_config.json"))
        }
        return try GenerationConfig(inDirectory: directory.path).endTokens
    }

    @Test("a configuration may have one, several or no end tokens")
    func counts() throws {
        #expect(try ends(#"{"eos_token_id": 7}"#) == [7])
        #expect(try ends(#"{"eos_token_id": [7, 9], "top_p": 0.9}"#) == [7, 9])
        #expect(try ends("{}").isEmpty)
        #expect(try ends(nil).isEmpty)
    }

    @Test(
        "a damaged file gives an error that names it",
        arguments: ["[]", "{", #"{"eos_token_id": "a"}"#])
    func damage(text: String) throws {
        let error = #expect(throws: ModelFileError.self) { try ends(text) }
        #expect(error?.description.contains("generation_config.json") == true)
    }
}
