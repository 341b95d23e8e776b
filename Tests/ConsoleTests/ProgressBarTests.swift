import Dispatch
import Testing

@testable import Console

@Suite struct ProgressBarTests {
    /// Returns the states of the redrawn line in order.
    private func frames(_ fake: FakeTerminal) -> [String] {
        fake.text.split(separator: "\r\u{1B}[K", omittingEmptySubsequences: false).dropFirst()
            .map(String.init)
    }

    @Test("a terminal shows one line that is redrawn at most ten times a second")
    func interactive() {
        let fake = FakeTerminal(isInteractive: true)
        let bar = ProgressBar("Calibrating", total: 1000, unit: "tokens", on: fake.terminal)
        for step in 1...500 {
            fake.pass(0.01)
            bar.advance(to: step)
        }
        let frames = frames(fake)
        #expect((45...51).contains(frames.count))
        #expect(frames.last?.hasPrefix("Calibrating  ████") == true)
        #expect(frames.last?.hasSuffix("100 tokens/s  5.0 s left") == true)
        fake.pass(5)
        bar.advance(to: 1000)
        bar.finish()
        bar.advance()
        #expect(
            fake.text.hasSuffix("Calibrating … done in 10 s (1000 tokens, 100 tokens/s)\n"))
    }

    @Test("work that ends before the last step is reported as stopped", arguments: [0, 3])
    func failed(count: Int) {
        let fake = FakeTerminal(isInteractive: false)
        let bar = ProgressBar("Writing", total: 4, unit: "layers", on: fake.terminal)
        bar.advance(to: count)
        fake.pass(1e-4)
        bar.finish()
        #expect(fake.text.hasSuffix("Writing … stopped at \(count * 25)%\n"))
        #expect(!fake.text.contains("done"))
    }

    @Test("the bar fits any width", arguments: [0, 1, 10, 20, 30, 40, 60, 80])
    func width(width: Int) {
        let fake = FakeTerminal(isInteractive: true, width: width)
        let bar = ProgressBar("Searching plans", total: 7, unit: "plans", on: fake.terminal)
        for step in 1...7 {
            fake.pass(1.3)
            bar.advance(to: step)
        }
        for frame in frames(fake) { #expect(TextLayout.width(of: frame) <= max(0, width - 1)) }
    }

    @Test("a stream that is not a terminal gets a line every five seconds")
    func plain() {
        let fake = FakeTerminal(isInteractive: false)
        let bar = ProgressBar("Profiling", total: 100, unit: "levels", on: fake.terminal)
        for step in 1...10 {
            fake.pass(1)
            bar.advance(to: step)
        }
        bar.advance(to: 100)
        bar.finish()
        #expect(
            fake.text == """
                Profiling …
                Profiling … 5%, 1.0 levels/s, 1 min 35 s left
                Profiling … 10%, 1.0 levels/s, 1 min 30 s left
                Profiling … done in 10 s (100 levels, 10 levels/s)

                """)
    }

    @Test("steps from many threads are counted exactly")
    func threads() {
        let fake = FakeTerminal(isInteractive: false)
        let bar = ProgressBar("Counting", total: 4000, unit: "steps", on: fake.terminal)
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<1000 { bar.advance() }
        }
        fake.pass(1)
        bar.finish()
        #expect(fake.text.contains("(4000 steps, 4000 steps/s)"))
    }

    @Test("an unfinished bar ends its line when it is deallocated")
    func dropped() {
        let fake = FakeTerminal(isInteractive: true)
        ProgressBar("Packing", total: 4, unit: "layers", on: fake.terminal).advance(to: 1)
        #expect(fake.text.hasSuffix("Packing … stopped at 25%\n"))
    }

    @Test("the bar fills in eighths of a character and keeps its width")
    func bar() {
        #expect(ProgressBar.bar(0, of: 8, width: 4) == "░░░░")
        #expect(ProgressBar.bar(3, of: 8, width: 4) == "█▌░░")
        #expect(ProgressBar.bar(8, of: 8, width: 4) == "████")
        #expect(ProgressBar.bar(0, of: 0, width: 4) == "████")
        for count in 0...997 { #expect(ProgressBar.bar(count, of: 997, width: 9).count == 9) }
    }

    @Test("a stage prints its duration, and returns results and throws errors")
    func stage() throws {
        let fake = FakeTerminal(isInteractive: false)
        let result = fake.terminal.stage("Packing") {
            fake.pass(3.2)
            return 7
        }
        #expect(result == 7)
        #expect(fake.text == "Packing …\nPacking … done in 3.2 s\n")
        #expect(throws: SampleError.self) {
            try fake.terminal.stage("Reading") { () throws(SampleError) in throw SampleError() }
        }
        #expect(fake.text.hasSuffix("Reading … stopped after 0 s\n"))
    }
}
