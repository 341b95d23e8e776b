public import ModelFiles

/// The task head of a model.
///
/// A raw value is the end of the name of the class that loads the model in `transformers`.
public enum TaskHead: String, Sendable, CaseIterable {
    /// No head, or only a pooler.
    case base = "Model"
    /// Logits of the next token.
    ///
    /// This head is for decoders. All cases below are for encoders.
    case nextToken = "ForCausalLM"
    /// Logits of the token at each position.
    case maskedToken = "ForMaskedLM"
    /// ``maskedToken`` and ``nextSentence``.
    case pretraining = "ForPreTraining"
    /// Logits of whether one sentence follows another.
    case nextSentence = "ForNextSentencePrediction"
    /// Logits of the labels of a text.
    case sequence = "ForSequenceClassification"
    /// Logits of the labels of each token.
    case token = "ForTokenClassification"
    /// Logits of the first and last token of an answer.
    case span = "ForQuestionAnswering"
    /// One logit for each of several texts.
    case choice = "ForMultipleChoice"

    /// The head of a class of `transformers`; nil if the class has another kind of head.
    init?(ofClass name: String) {
        if name.hasSuffix("LMHeadModel") {
            self = .nextToken
            return
        }
        guard let head = Self.allCases.first(where: { name.hasSuffix($0.rawValue) }),
            !name.hasSuffix("HeadsModel")
        else { return nil }
        self = head
    }

    /// One result of a head: `output · norm(f(dense · h)) + bias`, with h a last hidden state.
    public struct Output: Sendable {
        /// The kinds of activation f.
        public enum Activation: Sendable { case tanh, relu, gelu }

        /// The names of the result in exported models.
        ///
        /// There are two if each token has two logits that are exported separately.
        public let names: [String]
        /// Whether only the first token has a result, rather than each token.
        public let isOfFirstToken: Bool
        /// The name of the first projection; nil if there is none.
        public var dense: String?
        /// The activation f, which is used only with ``dense``.
        public var activation = Activation.tanh
        /// The name of the norm; nil if there is none.
        public var norm: String?
        /// The name of the last projection.
        ///
        /// If the file has no weight with this name, its weight is the token embedding.
        public let output: String
        /// The possible names of the last projection's bias; the first one in the file is used.
        public let biases: [String]
        /// Whether the first projection is the pooler, which encoders without a head have too.
        ///
        /// Its name then has the prefix of the encoder's tensors.
        var isDensePooler = false

        init(
            _ names: String..., ofFirstToken isOfFirstToken: Bool = false, output: String,
            bias: String? = nil
        ) {
            self.names = names
            self.isOfFirstToken = isOfFirstToken
            self.output = output
            biases = [output + ".bias"] + [bias].compactMap(\.self)
        }

        /// The weights that the file must have for this result, except those of a pooler.
        fileprivate var ownTensors: [String] {
            let inner = [isDensePooler ? nil : dense, norm].compactMap(\.self).map {
                $0 + ".weight"
            }
            // Only results with a norm can use the token embedding as the last projection.
            return norm == nil ? inner + [output + ".weight"] : inner
        }

        fileprivate var poolerTensors: [String] {
            isDensePooler ? [dense].compactMap(\.self).map { $0 + ".weight" } : []
        }
    }
}

extension Family {
    /// The results of a head of this family's encoders.
    ///
    /// - Parameters:
    ///   - head: The head.
    ///   - names: The names of the encoder's tensors.
    /// - Returns: The results with the names of their tensors. It is empty for ``TaskHead/base``,
    ///   and nil for a head that the family does not have.
    public func outputs(of head: TaskHead, names: TensorNames) -> [TaskHead.Output]? {
        heads[head]?.map { output in
            guard output.isDensePooler, let pooler = output.dense else { return output }
            var output = output
            output.dense = names.tokens.dropLast("embeddings.word_embeddings".count) + pooler
            return output
        }
    }

    /// The class of `transformers` that loads a model of this family with a head.
    public func className(of head: TaskHead) -> String {
        head == .nextToken ? nextTokenClass ?? className + head.rawValue : className + head.rawValue
    }
}

extension Checkpoint {
    /// The head of the model, found from its tensors and from the class in `architectures`.
    ///
    /// - Returns: The head. For an encoder it is ``TaskHead/base`` if the file has no head's
    ///   tensors.
    /// - Throws: ``ModelFileError`` if the head is not supported or the file lacks some of its
    ///   tensors.
    public func taskHead() throws(ModelFileError) -> TaskHead {
        let named = config.members["architectures"]?.array?.first?.string
        let known = named.flatMap(TaskHead.init(ofClass:))
        let poolers = ["pooler.dense.weight", "pooler.dense.bias"]
        let extra = otherTensorNames.filter { name in !poolers.contains(where: name.hasSuffix) }
        guard config.family.architecture.isEncoder else {
            if known == .nextToken || named == nil { return .nextToken }
            guard known == TaskHead.base || extra.isEmpty else { throw unknownHead(named, extra) }
            return .base
        }
        if let known, let outputs = outputs(of: known), !outputs.isEmpty {
            let own = outputs.flatMap(\.ownTensors)
            if own.contains(where: file.has) {
                let missing = (own + outputs.flatMap(\.poolerTensors)).first { !file.has($0) }
                guard let missing else { return known }
                throw ModelFileError(
                    file: path, subject: "tensor \(missing)",
                    problem: "the class \(quoted(named ?? "")) needs it, and the file lacks it",
                    remedy: "fetch the model again, or correct architectures in config.json")
            }
        }
        // The class in `architectures` is often not the class whose tensors a file has.
        let orders: [TaskHead] = [.span, .sequence, .pretraining, .maskedToken, .token]
        let found = orders.first { head in
            guard let outputs = outputs(of: head) else { return false }
            return outputs.flatMap { $0.ownTensors + $0.poolerTensors }.allSatisfy(file.has)
        }
        let isUnknown = named != nil && (known == nil || known == .nextToken)
        if isUnknown, !extra.isEmpty { throw unknownHead(named, extra) }
        return known == TaskHead.base ? .base : found ?? .base
    }

    private func outputs(of head: TaskHead) -> [TaskHead.Output]? {
        config.family.outputs(of: head, names: huggingFaceNames)
    }

    private func unknownHead(_ name: String?, _ tensors: [String]) -> ModelFileError {
        let isEncoder = config.family.architecture.isEncoder
        return config.unknownHead(
            name ?? "", tensors[0],
            known: isEncoder ? TaskHead.allCases.filter { outputs(of: $0) != nil } : nil)
    }
}

extension HuggingFaceConfig {
    /// The class in `architectures` if the model is a decoder and this class does not predict the
    /// next token; nil otherwise.
    var unreadHead: String? {
        guard !family.architecture.isEncoder,
            let name = members["architectures"]?.array?.first?.string
        else { return nil }
        let head = TaskHead(ofClass: name)
        return head == .nextToken || head == TaskHead.base ? nil : name
    }

    /// The error for a head that is not supported.
    ///
    /// - Parameters:
    ///   - name: The class in `architectures`.
    ///   - tensor: A tensor of the head.
    ///   - known: The heads that are supported; nil for a decoder.
    /// - Returns: The error, which lists the supported classes.
    func unknownHead(_ name: String, _ tensor: String, known: [TaskHead]?) -> ModelFileError {
        let classes = (known ?? [.base, .nextToken]).map { family.className(of: $0) }
        return ModelFileError(
            file: path, subject: "field architectures",
            problem: "the head of \(quoted(name)), with the tensor "
                + "\(quoted(tensor)), is not supported",
            remedy: "use a model of class " + classes.joined(separator: ", "))
    }
}
