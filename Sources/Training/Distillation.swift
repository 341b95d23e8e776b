internal import Tensors
public import Transformers

/// What a student learns from a teacher.
///
/// Logits by their divergence, `T² KL(teacher ‖ student)` with both divided by the temperature T;
/// scores by the squared difference; of an encoder that only embeds text, the last hidden states. The
/// residual streams behind every layer but the last, token by token, by their squared distance over
/// the mean square of the teacher's, the mean over layers.
/// Source: Hinton, Vinyals and Dean, arXiv 1503.02531; of streams: Kurtić, Frantar and Alistarh,
/// "ZipLM", arXiv 2302.04089, section 3.4; of the student's own text: Agarwal et al., "On-policy
/// distillation of language models", arXiv 2306.13649.
public struct Distillation: Sendable {
    /// The teacher, of as many layers as the student, and of as many channels where streams count.
    public var teacher: Model
    /// Its head, where labels are learnt.
    public var classifier: Classifier?
    /// T.
    public var temperature: Float = 1
    /// β of the divergence: 0 for the teacher's mean, 1 for the student's.
    public var mixture: Float = 0
    /// λ: how likely the student itself writes the second half of the text of a step.
    public var onPolicyShare = 0.0
    /// What each loss counts, that of the task too.
    public var (logitShare, streamShare, taskShare): (Float, Float, Float) = (1, 0.5, 0)

    /// Creates a distillation with the shares that ZipLM uses for BERT.
    public init(from teacher: Model, classifier: Classifier? = nil) {
        self.teacher = teacher
        self.classifier = classifier
    }
}

/// What a teacher makes of a batch.
struct Lecture {
    let distillation: Distillation
    private let engine: Engine
    /// After the final norm.
    let hidden: Activations
    /// Behind each layer but the last.
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

    /// The loss of the residual stream behind a layer; adds its gradient.
    ///
    /// - Parameters:
    ///   - stream: The student's.
    ///   - layer: The layer.
    ///   - factor: What losses count for each row.
    ///   - gradient: By the stream; is added to.
    /// - Returns: The loss.
    func compare(
        _ stream: Activations, behind layer: Int, factor: Float,
        addingTo gradient: inout Activations
    ) -> Double {
        guard distillation.streamShare > 0, streams.indices.contains(layer) else { return 0 }
        return compare(
            stream, with: streams[layer],
            share: distillation.streamShare * factor / Float(streams.count), addingTo: &gradient)
    }

    /// The loss of an encoder's last hidden states; adds its gradient.
    func compare(
        hidden states: Activations, factor: Float, addingTo gradient: inout Activations
    ) -> Double {
        compare(
            states, with: hidden, share: distillation.logitShare * factor, addingTo: &gradient)
    }

    private func compare(
        _ own: Activations, with wanted: Activations, share: Float,
        addingTo gradient: inout Activations
    ) -> Double {
        let square = engine.squareSum(wanted) / Double(max(wanted.rows, 1))
        let weight = Double(share) / max(square, 1e-30)
        return weight
            * engine.differentiateDistance(
                of: own, from: wanted, factor: Float(weight), addingTo: &gradient)
    }
}

private final class StreamRecorder: ForwardObserver {
    var entering: [Activations] = []

    func willEnterLayer(_ layer: Int, hidden: Activations) { entering.append(hidden) }
}

extension TrainingPass {
    /// The loss of a decoder, or of an encoder without labels, that learns from a teacher, and the
    /// gradients of all weights.
    ///
    /// - Parameters:
    ///   - model: The student.
    ///   - distillation: What it learns.
    ///   - batch: The sequences.
    ///   - targets: What each token is to foretell, for the loss of the text itself; by default
    ///     the next one.
    ///   - factor: What the losses of each token count, such as one over the number of tokens.
    ///   - skipped: Layers that are left out this time.
    /// - Returns: The sum of the losses, times the factor.
    public mutating func distil(
        _ model: inout TrainableModel, by distillation: Distillation, _ batch: TokenBatch,
        targets: [Int32]? = nil, factor: Float, skipping skipped: Set<Int> = []
    ) -> Double {
        let lecture = Lecture(distillation, batch, on: engine)
        var streams: [Int: Activations] = [:]
        let hidden = forward(model, batch, skipping: skipped) { streams[$0] = $1 }
        let targets = targets ?? batch.nextTokens
        let (logitShare, taskShare) = (distillation.logitShare, distillation.taskShare)
        var gradient = Activations(rows: hidden.rows, columns: hidden.columns, repeating: 0)
        var loss = 0.0
        if model.output == nil {
            loss = lecture.compare(hidden: hidden, factor: factor, addingTo: &gradient)
        }
        var (part, slope) = (Activations(), Activations())
        let teaching = ForwardPass(distillation.teacher, on: engine)
        let taught = model.output == nil ? Activations() : lecture.hidden
        teaching.logits(from: taught, rowsAtOnce: Self.rowsAtOnce) { rows, given in
            engine.select(hidden, rows: rows, into: &part)
            model.output?.apply(to: part, into: &slope, on: engine)
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
            model.output?.gather(slope, inputs: part, on: engine)
            model.output?.gradientByInputs(
                slope, into: &gradient, firstRow: rows.lowerBound, on: engine)
        }
        backward(&model, gradient) { layer, gradient in
            guard let stream = streams[layer] else { return }
            loss += lecture.compare(stream, behind: layer, factor: factor, addingTo: &gradient)
        }
        return loss
    }
}
