import CommandLine
import ModelFiles
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
    /// - Parameter name: A path or a hub id.
    /// - Throws: `ModelFileError`, or `Interrupted` when the user asks to stop.
    init(_ name: String) throws {
        location = try ModelLocation(name)
        let checkpoint = try Checkpoint(location.path)
        self.checkpoint = checkpoint
        let layers = checkpoint.shape.layers.count
        let progress = ProgressBar("Packing \(location.name)", total: layers, unit: "layers")
        model = try Model(checkpoint) { done in
            progress.advance(to: done)
            try Interruption.check()
        }
        progress.finish()
    }
}
