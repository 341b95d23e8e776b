internal import Foundation
internal import ModelFiles
internal import Profiling
internal import Pruning
internal import Transformers

/// A runtime other than the built-in one, with a folder for the files that it loads.
///
/// The folder is removed with the instance.
final class OtherRuntime {
    private let runtime: Runtime
    private let environment: InferenceEnvironment
    private let folder: String
    private let progress: any JobProgress
    private var count = 0
    /// The files of models that were already prepared, by the models' paths.
    private var known: [String: EmittedModel] = [:]

    /// Creates a folder for a runtime; nil if the environment's runtime is the built-in one.
    ///
    /// - Throws: `ModelFileError` if the folder cannot be created.
    init?(
        _ environment: InferenceEnvironment, folder: String? = nil, progress: any JobProgress
    ) throws {
        guard let runtime = Runtime(environment.runtime), runtime != .builtIn else { return nil }
        self.progress = progress
        self.runtime = runtime
        self.environment = environment
        self.folder =
            folder ?? NSTemporaryDirectory() + "/espalier-" + UUID().uuidString
        do {
            try FileManager.default.createDirectory(
                atPath: self.folder, withIntermediateDirectories: true)
        } catch {
            throw ModelFileError(
                file: self.folder, problem: "it cannot be created: \(error.plainReason)",
                remedy: "set TMPDIR to a directory that is writable and has room")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Returns a stopwatch that times models with random weights.
    ///
    /// - Parameters:
    ///   - shape: The sizes of the dense model.
    ///   - location: The location of the dense model. A command needs the model's files; ONNX
    ///     Runtime needs only its sizes.
    /// - Returns: The stopwatch.
    /// - Throws: The errors of writing files and of starting the runtime.
    func stopwatch(for shape: ModelShape, at location: ModelLocation) throws -> RuntimeStopwatch {
        let standIn: (ModelShape) throws -> EmittedModel
        if runtime == .onnxRuntime {
            let files = try ONNXStandIns(shape, in: folder)
            standIn = { EmittedModel(path: try files.write($0), byteCount: $0.byteCount) }
        } else {
            let checkpoint = try Checkpoint(location.path)
            standIn = { [self] in try emit(RandomWeights(shape: $0), like: checkpoint) }
        }
        return try RuntimeStopwatch(
            environment, shape: shape, dense: try standIn(shape), standIn: standIn)
    }

    /// Returns a stopwatch that compares models with the dense model.
    func stopwatch(against dense: OpenedModel) throws -> RuntimeStopwatch {
        try RuntimeStopwatch(
            environment, shape: dense.shape, dense: try emit(dense)
        ) { [self] in try emit(RandomWeights(shape: $0), like: dense.checkpoint) }
    }

    /// Returns the files of a model for the runtime.
    ///
    /// If the model's directory has an ONNX graph, its files are used. Otherwise new files are
    /// written. ONNX Runtime gets the formats of the model. A command gets floats, because it may
    /// run `transformers`, which reads no other weights.
    func emit(_ model: OpenedModel) throws -> EmittedModel {
        let path = model.location.path
        if let files = known[path] { return files }
        let formats = model.checkpoint.formats
        let keepsFormats = formats == nil || runtime == .onnxRuntime
        let isMade =
            keepsFormats
            && FileManager.default.fileExists(atPath: path + "/" + ONNXModel.fileName)
        let files =
            isMade
            ? emitted(path, model.shape)
            : try emit(
                model.checkpoint, like: model.checkpoint, formats: keepsFormats ? formats : nil)
        known[path] = files
        return files
    }

    /// Writes the files of weights, which may have only some channels of a checkpoint.
    func emit(
        _ weights: some WeightSource, like checkpoint: Checkpoint, channels: [Int]? = nil,
        formats: Formats? = nil
    ) throws -> EmittedModel {
        count += 1
        let directory = "\(folder)/\(count)"
        try HuggingFaceDirectory.write(
            weights, like: checkpoint, channels: channels, to: directory, formats: formats,
            progress: progress.check)
        return emitted(directory, weights.shape)
    }

    private func emitted(_ directory: String, _ shape: ModelShape) -> EmittedModel {
        EmittedModel(
            path: runtime == .onnxRuntime ? directory + "/" + ONNXModel.fileName : directory,
            byteCount: shape.byteCount)
    }
}

extension ModelShape {
    /// The bytes of the weights in f32.
    fileprivate var byteCount: Int { parameters * MemoryLayout<Float>.size }
}
