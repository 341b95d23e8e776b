public import Tensors
public import Transformers

/// Runs the forward and backward pass of a model on a batch.
public struct TrainingPass {
    /// The engine.
    public let engine: Engine
    /// Whether the forward pass stores only the residual stream before each layer, and the backward
    /// pass recomputes the rest.
    ///
    /// This needs a fifth of the memory and a third more computation.
    public var recomputes = false

    private let rotaries: (forward: RotaryTables, backward: RotaryTables)
    /// The records of the last forward pass, by layer; nil for skipped layers.
    private var records: [LayerRecord?] = []
    private var batch = TokenBatch([[Int32]]())
    /// The embeddings before their norm, and the residual stream before the final norm.
    private var embedded = Activations()
    private var last = Activations()

    /// Prepares to run a model.
    ///
    /// The pass can also run models that differ from the shape only in the sizes of layers.
    public init(_ shape: ModelShape, on engine: Engine) {
        self.engine = engine
        let tables = RotaryTables(shape)
        rotaries = (tables, tables.reversed)
    }

    /// Runs the forward pass of a batch.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - batch: The sequences.
    ///   - skipped: The layers that are skipped, for LayerDrop.
    ///   - observer: Called with each layer and the residual stream after it.
    /// - Returns: The last hidden states, after the final norm if there is one.
    public mutating func forward(
        _ model: TrainableModel, _ batch: TokenBatch, skipping skipped: Set<Int> = [],
        observer: (Int, Activations) -> Void = { _, _ in }
    ) -> Activations {
        self.batch = batch
        embedded = embed(model, batch)
        var hidden =
            model.embeddingNorm?.applied(
                to: embedded, epsilon: model.shape.normEpsilon, on: engine) ?? embedded
        let pass = layerPass(model)
        records = []
        for (index, layer) in model.layers.enumerated() {
            guard !skipped.contains(index) else {
                records.append(nil)
                continue
            }
            let (next, record) = pass.forward(layer, hidden)
            records.append(recomputes ? LayerRecord(entering: hidden) : record)
            hidden = next
            observer(index, hidden)
        }
        last = hidden
        var states =
            model.finalNorm?.applied(
                to: hidden, epsilon: model.shape.normEpsilon, on: engine) ?? hidden
        engine.scale(&states, by: model.shape.usedFactors.logits)
        return states
    }

    /// Runs the backward pass, which adds the gradients of all weights except the head's.
    ///
    /// - Parameters:
    ///   - model: The model of the last forward pass.
    ///   - gradient: The gradient with respect to the last hidden states.
    ///   - adding: Called with each layer and the gradient with respect to the residual stream
    ///     after it, so that gradients of other losses can be added.
    public mutating func backward(
        _ model: inout TrainableModel, _ gradient: Activations,
        adding: (Int, inout Activations) -> Void = { _, _ in }
    ) {
        let epsilon = model.shape.normEpsilon
        var gradient = gradient
        engine.scale(&gradient, by: model.shape.usedFactors.logits)
        gradient =
            model.finalNorm?.gradientByInputs(
                gradient, inputs: last, epsilon: epsilon, on: engine) ?? gradient
        let pass = layerPass(model)
        for index in model.layers.indices.reversed() {
            guard var record = records[index] else { continue }
            records[index] = nil
            adding(index, &gradient)
            if recomputes { record = pass.forward(model.layers[index], record.entering).1 }
            pass.backward(&model.layers[index], record, &gradient, addingTo: &model.biases)
        }
        gradient =
            model.embeddingNorm?.gradientByInputs(
                gradient, inputs: embedded, epsilon: epsilon, on: engine) ?? gradient
        scatter(gradient, into: &model)
    }

    private func layerPass(_ model: TrainableModel) -> LayerPass {
        LayerPass(
            shape: model.shape, engine: engine, sequences: batch.sequences,
            positions: batch.positions, rotaries: rotaries,
            biases: ScoreBiases(model.shape, table: model.biases?.values))
    }

    /// The rows of the position embedding and of the token type embedding for the tokens of a
    /// batch.
    private func places(
        _ model: TrainableModel, _ batch: TokenBatch
    ) -> (positions: [Int32], types: [Int32]) {
        let reserved = (model.positions?.values.rows ?? 0) - model.shape.maximumPositions
        return (
            batch.positions.map { Int32(reserved + $0) },
            TokenBatch.segmentRows(
                batch.typeIDs, of: batch.ids.count, in: model.types?.values.rows ?? 0)
        )
    }

    private func embed(_ model: TrainableModel, _ batch: TokenBatch) -> Activations {
        var hidden = Activations()
        hidden.reshape(rows: batch.ids.count, columns: model.shape.hiddenSize)
        let places = places(model, batch)
        engine.gather(model.table, rows: batch.ids, into: &hidden)
        engine.scale(&hidden, by: model.shape.usedFactors.embeddings)
        if let table = model.positions?.values {
            engine.gather(table, rows: places.positions, into: &hidden, adding: true)
        }
        if let table = model.types?.values {
            engine.gather(table, rows: places.types, into: &hidden, adding: true)
        }
        return hidden
    }

    private func scatter(_ gradient: Activations, into model: inout TrainableModel) {
        let places = places(model, batch)
        func add(_ gradient: Activations, _ rows: [Int32], to parameter: inout Parameter) {
            guard !parameter.isFrozen else { return }
            engine.scatter(gradient, rows: rows, addingTo: &parameter.gradient)
        }
        if model.positions != nil { add(gradient, places.positions, to: &model.positions!) }
        if model.types != nil { add(gradient, places.types, to: &model.types!) }
        var scaled = gradient
        engine.scale(&scaled, by: model.shape.usedFactors.embeddings)
        if model.tokens != nil {
            add(scaled, batch.ids, to: &model.tokens!)
        } else if model.output != nil {
            add(scaled, batch.ids, to: &model.output!.weight)
        }
    }
}
