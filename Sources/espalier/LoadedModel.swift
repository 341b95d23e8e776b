import CommandLine
import ModelFiles
import Tensors
import Transformers

/// A trained model, opened and packed for this processor.
struct LoadedModel {
    /// Where the user's model was found.
    let location: ModelLocation
    /// The model's files.
    let checkpoint: Checkpoint
    /// The model, ready to run.
    let model: Model

    /// Finds, opens and packs a model, showing how far it is.
    ///
    /// - Parameters:
    ///   - name: A path or a hub id.
    ///   - precision: How to store its weights.
    /// - Throws: `ModelFileError`, or `Interrupted` when the user asks to stop.
    init(_ name: String, precision: Precision = .f32) throws {
        location = try ModelLocation(name)
        checkpoint = try Checkpoint(location.path)
        model = try Self.pack(checkpoint, named: location.name, precision: precision)
    }

    /// The same model in another precision.
    ///
    /// - Throws: As `init` does.
    func model(in precision: Precision) throws -> Model {
        guard precision != model.precision else { return model }
        return try Self.pack(checkpoint, named: location.name, precision: precision)
    }

    private static func pack(
        _ checkpoint: Checkpoint, named name: String, precision: Precision
    ) throws -> Model {
        let suffix = precision == .f32 ? "" : " in \(precision.rawValue)"
        let progress = ProgressBar(
            "Packing \(name)\(suffix)", total: checkpoint.shape.layers.count, unit: "layers")
        defer { progress.finish() }
        return try Model(checkpoint, precision: precision) { done in
            progress.advance(to: done)
            try Interruption.check()
        }
    }
}
