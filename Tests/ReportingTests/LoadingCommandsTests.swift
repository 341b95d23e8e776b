import Foundation
import Testing

@testable import Reporting

@Suite struct LoadingCommandsTests {
    @Test(
        "a shell reads a quoted word unchanged",
        arguments: ["out/1.5x", "a b", "it's", "$(x) `y` \"z\" \\", "", "*?", "é", "a\nb", "~x"])
    func shell(word: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "printf %s \(LoadingCommands.shellQuoted(word))"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(String(decoding: data, as: UTF8.self) == word)
    }

    @Test("a path that begins with a dash is not read as an option")
    func dash() {
        #expect(LoadingCommands.shellQuoted("-rf") == "'./-rf'")
    }

    @Test("texts in Python literals are escaped")
    func python() {
        #expect(LoadingCommands.pythonQuoted("a\"b\\c\nd") == #""a\"b\\c\nd""#)
    }

    @Test("commands generate with decoders, embed with encoders, and time both")
    func commands() {
        let decoder = LoadingCommands(
            report: Samples.decoder, result: Samples.decoder.targets[1])
        #expect(decoder.shell.contains("espalier generate out/1.5x --prompt"))
        #expect(
            decoder.shell.contains(
                "espalier bench out/1.5x --against models/SmolLM2-135M-Instruct.Q4_1.gguf "
                    + "--phase decode --batch 1 --sequence 512 --threads 2"))
        #expect(decoder.python.contains("AutoModelForCausalLM"))
        let encoder = LoadingCommands(
            report: Samples.encoder, result: Samples.encoder.targets[0])
        #expect(!encoder.shell.contains("generate"))
        #expect(!encoder.shell.contains("--precision") && !encoder.shell.contains("--runtime"))
        #expect(encoder.python.contains("vectors = hidden.mean(dim=1)"))
        #expect(encoder.python.hasPrefix("from transformers"))
        var report = Samples.encoder
        report.model.pooling = ["cls"]
        let first = LoadingCommands(report: report, result: report.targets[0])
        #expect(first.python.contains("vectors = hidden[:, 0]\n"))
        report.model.pooling = ["max", "weightedmean"]
        let both = LoadingCommands(report: report, result: report.targets[0])
        #expect(both.python.contains("vectors = torch.cat([hidden.max(dim=1).values, 2 * torch"))
        #expect(both.python.hasPrefix("import torch\nfrom transformers"))
        report.environment.precision = "int8"
        report.environment.runtime = "command:./time it"
        let other = LoadingCommands(report: report, result: report.targets[0])
        #expect(other.shell.contains("--precision int8 --runtime 'command:./time it'\n"))
        #expect(encoder.python.contains("AutoModel.from_pretrained(path, trust_remote_code=True)"))
    }
}
