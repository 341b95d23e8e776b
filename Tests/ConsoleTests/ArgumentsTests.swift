import Testing

@testable import Console

@Suite struct ArgumentsTests {
    @Test("every kind of value is read in any order and spelling")
    func readsValues() throws {
        let command = try SampleCommand.parse([
            "--speedup", "1.5", "-o", "out", "model dir", "--speedup=2", "--batch=4", "--json",
            "--phase", "prefill", "--temperature", "-0.5", "--seed", "18446744073709551615",
            "--prompt=a=b", "--", "--name",
        ])
        #expect(command.model == "model dir")
        #expect(command.extra == "--name")
        #expect(command.speedups == [1.5, 2])
        #expect(command.batch == 4)
        #expect(command.phase == .prefill)
        #expect(command.temperature == -0.5)
        #expect(command.seed == .max)
        #expect(command.prompt == "a=b")
        #expect(command.output == "out")
        #expect(command.json)
    }

    @Test("options that are not given have their defaults")
    func defaults() throws {
        let command = try SampleCommand.parse(["m", "--speedup", "2", "-o=o"])
        #expect(command.extra == nil)
        #expect(command.batch == 1)
        #expect(command.phase == .decode)
        #expect(command.temperature == 0)
        #expect(command.prompt == nil)
        #expect(!command.json)
    }

    @Test("empty texts and texts that start with a dash are values")
    func oddTexts() throws {
        let words = ["m", "--speedup", "2", "-o", "o", "--prompt"]
        #expect(try SampleCommand.parse(words + ["- a list"]).prompt == "- a list")
        #expect(try SampleCommand.parse(words + [""]).prompt?.isEmpty == true)
        #expect(try SampleCommand.parse(["-"] + words.dropFirst() + ["x"]).model == "-")
    }

    @Test("errors name the argument and the remedy")
    func errors() {
        let good = ["m", "--speedup", "2", "-o", "o"]
        func refusal(_ more: String...) -> String? {
            do throws(UsageError) {
                _ = try SampleCommand.parse(good + more)
                return nil
            } catch { return error.description }
        }
        #expect(refusal() == nil)
        #expect(refusal("--bacth", "2") == "there is no --bacth; did you mean --batch?")
        #expect(refusal("--xyzzy") == "there is no option --xyzzy")
        #expect(refusal("-q") == "there is no option -q")
        #expect(refusal("--batch", "x") == "--batch needs a whole number, 1 to 1024, not 'x'")
        #expect(refusal("--batch", "0") == "--batch needs a whole number, 1 to 1024, not '0'")
        #expect(refusal("--batch=") == "--batch needs a whole number, 1 to 1024, not ''")
        #expect(refusal("--temperature", "nan") == "--temperature needs a number, not 'nan'")
        #expect(refusal("--batch") == "--batch needs a value: --batch N")
        #expect(refusal("--batch", "--json") == "--batch needs a value: --batch N")
        #expect(refusal("--batch", "--") == "--batch needs a value: --batch N")
        #expect(refusal("--batch", "1", "--batch=1") == "--batch is given twice; give it once")
        #expect(refusal("--json", "--json") == "--json is given twice; give it once")
        #expect(refusal("--json=yes") == "--json takes no value; write it alone")
        #expect(
            refusal("--phase", "decoed")
                == "--phase needs one of encode, prefill, decode, not 'decoed'; "
                + "did you mean 'decode'?")
        #expect(
            refusal("n", "third")
                == "unexpected 'third' after MODEL NAME; quote a value that has spaces")
        #expect(refusal("--seed", "-1") == "--seed needs a whole number, 0 or more, not '-1'")
        #expect(refusal("--speedup", "1.5") == "--speedup must ascend")
        #expect(refusal("--speedup", "1") == "--speedup needs a number, above 1, not '1'")
    }

    @Test("the error for a missing argument names the argument")
    func required() {
        #expect(
            refusal("--speedup", "2", "-o", "o")
                == "MODEL is missing: A Hugging Face directory, a .gguf file or a hub id.")
        #expect(
            refusal("m", "-o", "o")
                == "--speedup X is missing: How many times faster than the dense model.")
        #expect(refusal("m", "--speedup", "2") == "--output OUT is missing: Where the results go.")
    }

    @Test("all arguments are declared, even if a check fails on placeholder values")
    func declaring() {
        #expect(StrictCommand.declarations.map(\.name) == ["FILE", "--json"])
        #expect(SampleCommand.declarations.count == 10)
    }

    @Test("random words are read or give an error, and never trap", arguments: 0..<20)
    func hostile(seed: UInt64) {
        let pieces = [
            "-", "--", "=", "--batch", "--batch=", "-o", "--speedup", "2", "m", "", "\u{0}", "é🏔️",
            "--=x", "-=", "--help", "-9223372036854775809", "1e999",
        ]
        var random = Seeded(state: seed)
        for _ in 0..<100 {
            let words = (0..<Int.random(in: 0...7, using: &random)).map { _ in
                (0..<Int.random(in: 1...2, using: &random))
                    .map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            }
            _ = try? SampleCommand.parse(words)
        }
    }
}

/// Knuth's linear congruential generator, for random words.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
