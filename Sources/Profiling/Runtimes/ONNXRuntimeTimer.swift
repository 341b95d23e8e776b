internal import Foundation
internal import ModelFiles
internal import Transformers

/// Times models with ONNX Runtime in a Python process.
///
/// The process keeps models open while they fit in a share of memory.
///
/// The interpreter is `ESPALIER_PYTHON`, or otherwise `python3`, and must have the package
/// onnxruntime.
final class ONNXRuntimeTimer: ModelTimer {
    private struct Request: Encodable {
        let path: String
        let bytes: Int
    }
    private struct Answer: Decodable {
        let seconds: Double?
        let share: Double?
        let error: String?
    }

    /// The maximum fraction of the usable memory for open models.
    private static let memoryShare = 0.4
    /// The minimum fraction of processor time in a sample of one thread; below it the sample is
    /// disturbed.
    private static let minimumShare = 0.95

    private let process = Process()
    private let requests = Pipe()
    private let answers = Pipe()
    private var unread = Data()
    private let checksShare: Bool

    /// Starts the process.
    ///
    /// - Throws: ``ProfileError`` if Python or the package is missing.
    init(_ environment: InferenceEnvironment, shape: ModelShape) throws(ProfileError) {
        // With several threads the fraction is not checked, because waiting threads of ONNX Runtime
        // may sleep.
        checksShare = environment.threads == 1
        let python = ProcessInfo.processInfo.environment["ESPALIER_PYTHON"] ?? "python3"
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let memory = Int(Double(AvailableResources.current.memoryBytes) * Self.memoryShare)
        process.arguments = [
            python, "-c", ONNXRuntimeWorker.source, environment.phase.rawValue,
            String(environment.batch), String(environment.sequence), String(environment.threads),
            String(shape.vocabularySize), String(memory),
        ]
        process.standardInput = requests
        process.standardOutput = answers
        process.standardError = FileHandle.nullDevice
        // Writing to a worker that has ended must not end this process. The missing answer reports
        // it.
        _ = signal(SIGPIPE, SIG_IGN)
        do {
            try process.run()
        } catch {
            throw Self.failure("\(python) cannot be run: \(error.plainReason)")
        }
        if let problem = try answer(from: python).error { throw Self.failure(problem) }
    }

    deinit {
        try? requests.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    func sample(_ model: EmittedModel) throws -> Sample {
        let request = Request(path: model.path, bytes: model.byteCount)
        try? requests.fileHandleForWriting.write(
            contentsOf: JSONEncoder().encode(request) + Data("\n".utf8))
        let answer = try answer(from: "the worker")
        guard let seconds = answer.seconds, let share = answer.share else {
            throw Self.failure(
                "\(model.path): \(answer.error ?? "the answer has no time")",
                remedy: "check that this ONNX Runtime can load the file")
        }
        return Sample(seconds: seconds, isDisturbed: checksShare && share < Self.minimumShare)
    }

    /// Reads the next line that the process prints.
    private func answer(from name: String) throws(ProfileError) -> Answer {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let line = unread[..<end]
                unread = Data(unread[unread.index(after: end)...])
                guard let answer = try? JSONDecoder().decode(Answer.self, from: line) else {
                    throw Self.failure("\(name) printed a line that is not JSON")
                }
                return answer
            }
            let more = answers.fileHandleForReading.availableData
            guard !more.isEmpty else {
                process.waitUntilExit()
                throw Self.failure("\(name) gave no answer: \(process.ending)")
            }
            unread += more
        }
    }

    private static func failure(
        _ problem: String,
        remedy: String = "install it with `pip install onnxruntime`, or set ESPALIER_PYTHON to a "
            + "Python that has it"
    ) -> ProfileError {
        ProfileError(file: "runtime", field: "onnxruntime", problem: problem, remedy: remedy)
    }
}
