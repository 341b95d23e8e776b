internal import Tensors
public import Transformers

/// The losses with which a student is trained by a teacher.
///
/// - Logits: the divergence `T² KL(teacher ‖ student)` of logits divided by the temperature T, or a
///   mixture with the reverse divergence (``mixture``). For regression scores, this is the squared
///   difference. For an encoder that only embeds text, it is the squared distance of the last
///   hidden states.
/// - Residual streams: the squared distance of each token after every layer but the last, divided
///   by the mean squared norm of the teacher's stream, and averaged over layers.
///
/// Sources: Hinton, Vinyals and Dean, arXiv 1503.02531; residual streams: Kurtić, Frantar and
/// Alistarh, "ZipLM", arXiv 2302.04089, section 3.4; the student's own text: Agarwal et al.,
/// "On-policy distillation of language models", arXiv 2306.13649.
public struct Distillation: Sendable {
    /// The teacher.
    ///
    /// It has the same number of layers as the student. It has the same number of channels if
    /// `streamShare` is above 0.
    public var teacher: Model
    /// The teacher's head, if the student is trained on labels.
    public var classifier: Classifier?
    /// The temperature T.
    public var temperature: Float = 1
    /// The mixture β of the divergence: 0 for `KL(teacher ‖ student)`, 1 for
    /// `KL(student ‖ teacher)`.
    public var mixture: Float = 0
    /// The probability λ that the student generates the second half of the text of a step.
    public var onPolicyShare = 0.0
    /// The weights of the losses: of logits, of streams, and of the task itself.
    public var (logitShare, streamShare, taskShare): (Float, Float, Float) = (1, 0.5, 0)

    /// Creates a distillation with the weights that ZipLM uses for BERT.
    public init(from teacher: Model, classifier: Classifier? = nil) {
        self.teacher = teacher
        self.classifier = classifier
    }
}

/// The teacher's outputs for a batch.
struct TeacherOutputs {
    let distillation: Distillation
    private let engine: Engine
    /// The hidden states after the final norm.
    let hidden: Activations
    /// The residual stream after each layer but the last.
    private let streams: [Activations]

    init(_ distillation: Distillation, _ batch: TokenBatch, on engine: Engine) {
        self.distillation = distillation
        self.engine = engine
        var pass = ForwardPass(distillation.teacher, on: engine)
        let recorder = StreamRecorder()
        if distillation.streamShare > 0 { pass.observer = recorder }
        hidden = pass.hiddenStates(of: batch)
        streams = Array(recorder.entering.dropFirst())
    }

    /// Computes the loss of the residual stream after a layer, and adds its gradient.
    ///
    /// - Parameters:
    ///   - stream: The student's stream.
    ///   - layer: The layer.
    ///   - factor: The factor of the loss of each row.
    ///   - gradient: The gradient with respect to the stream is added to it.
    /// - Returns: The loss.
    func compare(
        _ stream: Activations, after layer: Int, factor: Float,
        addingTo gradient: inout Activations
    ) -> Double {
        guard distillation.streamShare > 0, streams.indices.contains(layer) else { return 0 }
        return compare(
            stream, with: streams[layer],
            share: distillation.streamShare * factor / Float(streams.count), addingTo: &gradient)
    }

    /// Computes the loss of an encoder's last hidden states, and adds its gradient.
    func compare(
        hidden states: Activations, factor: Float, addingTo gradient: inout Activations
    ) -> Double {
        compare(
            states, with: hidden, share: distillation.logitShare * factor, addingTo: &gradient)
    }

    private func compare(
        _ own: Activations, with reference: Activations, share: Float,
        addingTo gradient: inout Activations
    ) -> Double {
        let square = engine.squareSum(reference) / Double(max(reference.rows, 1))
        let weight = Double(share) / max(square, 1e-30)
        return weight
            * engine.differentiateDistance(
                of: own, from: reference, factor: Float(weight), addingTo: &gradient)
    }
}

private final class StreamRecorder: ForwardObserver {
    var entering: [Activations] = []

    func willEnterLayer(_ layer: Int, hidden: Activations) { entering.append(hidden) }
}

extension TrainingPass {
    /// Computes the distillation loss of a decoder, or of an encoder without labels.
    ///
    /// The gradients of all weights are added to the model's gradients.
    ///
    /// - Parameters:
    ///   - model: The student.
    ///   - distillation: The teacher and the weights of the losses.
    ///   - batch: The sequences.
    ///   - targets: The target token of each token, for the task loss; by default the next token.
    ///   - factor: The factor of each token's losses, such as one divided by the number of tokens.
    ///   - skipped: The layers that are skipped in this step.
    /// - Returns: The sum of the losses, multiplied by the factor.
    public mutating func distil(
        _ model: inout TrainableModel, by distillation: Distillation, _ batch: TokenBatch,
        targets: [Int32]? = nil, factor: Float, skipping skipped: Set<Int> = []
    ) -> Double {
        let teacherOutputs = TeacherOutputs(distillation, batch, on: engine)
        var streams: [Int: Activations] = [:]
        let hidden = forward(model, batch, skipping: skipped) { streams[$0] = $1 }
        let targets = targets ?? batch.nextTokens
        let (logitShare, taskShare) = (distillation.logitShare, distillation.taskShare)
        var gradient = Activations(rows: hidden.rows, columns: hidden.columns, repeating: 0)
        var loss = 0.0
        if model.output == nil {
            loss = teacherOutputs.compare(hidden: hidden, factor: factor, addingTo: &gradient)
        }
        var (part, slope) = (Activations(), Activations())
        let teaching = ForwardPass(distillation.teacher, on: engine)
        let teacherHidden = model.output == nil ? Activations() : teacherOutputs.hidden
        teaching.logits(from: teacherHidden, rowsAtOnce: Self.rowsAtOnce) { rows, given in
            engine.select(hidden, rows: rows, into: &part)
            model.output?.apply(to: part, into: &slope, on: engine)
            let slopes = cap(&slope, of: model)
            var task = taskShare > 0 ? slope : Activations()
            loss +=
                Double(logitShare * factor)
                * engine.differentiateDivergence(
                    &slope, from: given, temperature: distillation.temperature,
                    mixture: distillation.mixture, factor: logitShare * factor)
            if taskShare > 0 {
                loss +=
                    Double(taskShare * factor)
                    * engine.differentiateCrossEntropy(
                        &task, targets: Array(targets[rows]), factor: taskShare * factor)
                slope.add(task, times: 1)
            }
            if let slopes { engine.multiply(&slope, by: slopes) }
            model.output?.gather(slope, inputs: part, on: engine)
            model.output?.gradientByInputs(
                slope, into: &gradient, firstRow: rows.lowerBound, on: engine)
        }
        backward(&model, gradient) { layer, gradient in
            guard let stream = streams[layer] else { return }
            loss += teacherOutputs.compare(
                stream, after: layer, factor: factor, addingTo: &gradient)
        }
        return loss
    }
}
