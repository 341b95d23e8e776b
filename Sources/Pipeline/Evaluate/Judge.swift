internal import Evaluation
internal import Foundation
internal import ModelFiles

/// A command of the user that compares two answers.
///
/// The shell runs the command once. The command reads a line of JSON for each comparison, with the
/// members `question` or `turns`, `first` and `second`. It prints a line `{"winner": "first"}`,
/// `"second"` or `"tie"` before it reads the next line. `first` and `second` are texts, or, for
/// `turns`, lists with one text for each turn.
///
/// Source: Zheng et al., "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", arXiv 2306.05685.
final class Judge {
    private static let prefix = "command:"
    private let command: String
    private let seconds: Double
    private let process = Process()
    private let (input, output) = (Pipe(), Pipe())
    private var received: [UInt8] = []
    private let formerSignal = signal(SIGPIPE, SIG_IGN)

    /// Whether the text of `--judge` names a command.
    static func isCommand(_ text: String) -> Bool {
        text.hasPrefix(prefix) && text.count > prefix.count
    }

    /// Starts the command.
    ///
    /// - Parameters:
    ///   - judge: The text of `--judge`: `command:` and a shell command.
    ///   - seconds: The maximum time for one comparison.
    /// - Throws: `ModelFileError` if the shell cannot be run.
    init(_ judge: String, seconds: Double) throws(ModelFileError) {
        command = String(judge.dropFirst(Self.prefix.count))
        self.seconds = seconds
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        (process.standardInput, process.standardOutput) = (input, output)
        do {
            try process.run()
        } catch {
            throw failure("/bin/sh cannot be run: \(error.plainReason)")
        }
        // Without this, a judge that does not read would stop the program at a full pipe.
        let descriptor = input.fileHandleForWriting.fileDescriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    deinit {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.terminate() }
        _ = signal(SIGPIPE, formerSignal)
    }

    /// The winner of a comparison.
    enum Winner: String {
        case first, second, tie
    }

    /// Compares two answers.
    ///
    /// - Parameter question: The members of the line of JSON.
    /// - Returns: The winner.
    /// - Throws: `ModelFileError` if the command ends, is too slow, or prints another line.
    func winner(of question: [JSONKey: JSONValue]) throws(ModelFileError) -> Winner {
        let line = try reply(to: JSONValue.object(question).encoded() + [0x0a])
        let answer = try? JSONValue(parsing: line, file: "the judge's line")
        guard let word = answer?.object?["winner"]?.string, let winner = Winner(rawValue: word)
        else {
            let text = String(decoding: line.prefix(80), as: UTF8.self)
            throw failure("it printed '\(text)', which is no line {\"winner\": …}")
        }
        return winner
    }

    /// Writes a line, and returns the next line that the command prints.
    private func reply(to line: [UInt8]) throws(ModelFileError) -> [UInt8] {
        var rest = line[...]
        let end = Date(timeIntervalSinceNow: seconds)
        let (writing, reading) = (
            input.fileHandleForWriting.fileDescriptor, output.fileHandleForReading.fileDescriptor
        )
        while true {
            if rest.isEmpty, let place = received.firstIndex(of: 0x0a) {
                defer { received.removeSubrange(...place) }
                return Array(received[..<place])
            }
            var polled = [pollfd(fd: reading, events: Int16(POLLIN), revents: 0)]
            if !rest.isEmpty {
                polled.append(pollfd(fd: writing, events: Int16(POLLOUT), revents: 0))
            }
            let left = end.timeIntervalSinceNow
            guard left > 0 else { throw failure("it did not answer within \(seconds) seconds") }
            _ = poll(&polled, nfds_t(polled.count), Int32(min(left * 1000, 1e6).rounded(.up)))
            if polled.count > 1, polled[1].revents != 0 {
                let count = rest.withUnsafeBytes { write(writing, $0.baseAddress, $0.count) }
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno != EAGAIN, errno != EINTR {
                    // The judge reads no more. Its output says whether it has ended.
                    rest = []
                }
            }
            if polled[0].revents != 0 {
                var bytes = [UInt8](repeating: 0, count: 65_536)
                let count = read(reading, &bytes, bytes.count)
                guard count > 0 else { throw ended() }
                received += bytes[..<count]
            }
        }
    }

    private func ended() -> ModelFileError {
        // The output of a command closes shortly before the command ends.
        for _ in 0..<100 where process.isRunning { usleep(10_000) }
        guard !process.isRunning else { return failure("it closed its output") }
        return failure(
            process.terminationStatus == 0
                ? "it ended before it answered all comparisons" : process.ending)
    }

    private func failure(_ problem: String) -> ModelFileError {
        ModelFileError(
            file: "--judge command:\(command)", problem: problem,
            remedy: "run it by hand: it reads lines with first and second, and prints a line "
                + "{\"winner\": \"first\"}, \"second\" or \"tie\" for each")
    }
}
