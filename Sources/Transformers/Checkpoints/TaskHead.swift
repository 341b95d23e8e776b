public import ModelFiles

/// What a model has behind its last layer, by the end of the name of the class that loads it in
/// `transformers`.
public enum TaskHead: String, Sendable, CaseIterable {
    /// Nothing but perhaps a pooler.
    case base = "Model"
    /// Logits of the next token; of decoders.
    case nextToken = "ForCausalLM"
    /// Logits of the token at each place; this and the rest are of encoders.
    case maskedToken = "ForMaskedLM"
    /// ``maskedToken`` and ``nextSentence``.
    case pretraining = "ForPreTraining"
    /// Logits of whether a sentence follows another.
    case nextSentence = "ForNextSentencePrediction"
    /// Logits of the labels of a text.
    case sequence = "ForSequenceClassification"
    /// Logits of the labels of each token.
    case token = "ForTokenClassification"
    /// Logits of where an answer begins and ends.
    case span = "ForQuestionAnswering"
    /// A logit of each text of several.
    case choice = "ForMultipleChoice"

    /// The head of a class of `transformers`; nil where it is none of these.
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

    /// One result of a head: `output · norm(f(dense · h)) + bias` of last hidden states h.
    public struct Output: Sendable {
        /// What f is.
        public enum Activation: Sendable { case tanh, relu, gelu }

        /// What exports call it: two names where a token has two logits apart.
        public let names: [String]
        /// Whether h is the first token's alone, rather than each token's.
        public let isOfFirstToken: Bool
        /// The projection that comes first; nil without.
        public var dense: String?
        /// f, where there is that projection.
        public var activation = Activation.tanh
        /// The norm; nil without.
        public var norm: String?
        /// The last projection, which is the token embedding where the file has no weight of it.
        public let output: String
        /// Where the last projection's bias may be, the first that is there.
        public let biases: [String]
        /// Whether the projection that comes first belongs to encoders without a head too.
        fileprivate var isDensePooler = false

        fileprivate init(
            _ names: String..., ofFirstToken isOfFirstToken: Bool = false, output: String,
            bias: String? = nil
        ) {
            self.names = names
            self.isOfFirstToken = isOfFirstToken
            self.output = output
            biases = [output + ".bias"] + [bias].compactMap(\.self)
        }

        /// The tensors that the file must have, without those that encoders without a head have.
        fileprivate var ownTensors: [String] {
            let inner = [isDensePooler ? nil : dense, norm].compactMap(\.self).map {
                $0 + ".weight"
            }
            // The embedding stands in for the output behind a norm only.
            return norm == nil ? inner + [output + ".weight"] : inner
        }

        fileprivate var poolerTensors: [String] {
            isDensePooler ? [dense].compactMap(\.self).map { $0 + ".weight" } : []
        }
    }
}

extension HuggingFaceConfig.Family {
    /// The results of a head of this family's encoders; none without a head, nil for one that the
    /// family does not have.
    ///
    /// - Parameters:
    ///   - head: The head.
    ///   - names: What the encoder's tensors are called.
    /// - Returns: The results, by which tensors make them.
    public func outputs(of head: TaskHead, names: TensorNames) -> [TaskHead.Output]? {
        func first(_ output: String, dense: String, isPooler: Bool) -> TaskHead.Output {
            var first = TaskHead.Output("logits", ofFirstToken: true, output: output)
            (first.dense, first.isDensePooler) = (dense, isPooler)
            if self == .distilbert { first.activation = .relu }
            return first
        }
        func masked(
            _ name: String, dense: String, norm: String, output: String, bias: String?
        ) -> TaskHead.Output {
            var masked = TaskHead.Output(name, output: output, bias: bias)
            (masked.dense, masked.activation, masked.norm) = (dense, .gelu, norm)
            return masked
        }
        func ofBERT(_ name: String) -> TaskHead.Output {
            masked(
                name, dense: "cls.predictions.transform.dense",
                norm: "cls.predictions.transform.LayerNorm", output: "cls.predictions.decoder",
                bias: "cls.predictions.bias")
        }
        let prefix = String(names.tokens.dropLast("embeddings.word_embeddings".count))
        let pooler = prefix + "pooler.dense"
        switch (self, head) {
        case (.llama, _), (.mistral, _), (.qwen2, _), (.qwen3, _), (.gpt2, _), (.opt, _),
            (_, .nextToken):
            return nil
        case (_, .base): return []
        case (_, .token): return [TaskHead.Output("logits", output: "classifier")]
        case (_, .span):
            return [
                TaskHead.Output("start_logits", "end_logits", output: Self.spanHeadName)
            ]
        case (.bert, .sequence), (.bert, .choice), (.roberta, .choice), (.xlmRoberta, .choice):
            return [first("classifier", dense: pooler, isPooler: true)]
        case (.roberta, .sequence), (.xlmRoberta, .sequence):
            return [first("classifier.out_proj", dense: "classifier.dense", isPooler: false)]
        case (.distilbert, .sequence), (.distilbert, .choice):
            return [first("classifier", dense: "pre_classifier", isPooler: false)]
        case (.bert, .maskedToken): return [ofBERT("logits")]
        case (.bert, .nextSentence):
            return [first("cls.seq_relationship", dense: pooler, isPooler: true)]
        case (.bert, .pretraining):
            var next = TaskHead.Output(
                "seq_relationship_logits", ofFirstToken: true, output: "cls.seq_relationship")
            (next.dense, next.isDensePooler) = (pooler, true)
            return [ofBERT("prediction_logits"), next]
        case (.roberta, .maskedToken), (.xlmRoberta, .maskedToken):
            return [
                masked(
                    "logits", dense: "lm_head.dense", norm: "lm_head.layer_norm",
                    output: "lm_head.decoder", bias: "lm_head.bias")
            ]
        case (.distilbert, .maskedToken):
            return [
                masked(
                    "logits", dense: "vocab_transform", norm: "vocab_layer_norm",
                    output: "vocab_projector", bias: nil)
            ]
        case (_, .pretraining), (_, .nextSentence): return nil
        }
    }

    /// The class of `transformers` that loads a model of this family.
    public func className(of head: TaskHead) -> String {
        self == .gpt2 && head == .nextToken ? "GPT2LMHeadModel" : className + head.rawValue
    }

    /// What `transformers` puts before the names of a family's classes.
    public var className: String {
        switch self {
        case .bert: "Bert"
        case .roberta: "Roberta"
        case .xlmRoberta: "XLMRoberta"
        case .llama: "Llama"
        case .mistral: "Mistral"
        case .qwen2: "Qwen2"
        case .qwen3: "Qwen3"
        case .distilbert: "DistilBert"
        case .gpt2: "GPT2"
        case .opt: "OPT"
        }
    }
}

extension Checkpoint {
    /// The head that the file has, by its tensors and by the class that `architectures` names.
    ///
    /// - Returns: The head; none where the class has one and the file does not.
    /// - Throws: ``ModelFileError`` for a head that is not known or lacks tensors.
    public func taskHead() throws(ModelFileError) -> TaskHead {
        let named = config.members["architectures"]?.array?.first?.string
        let known = named.flatMap(TaskHead.init(ofClass:))
        let poolers = ["pooler.dense.weight", "pooler.dense.bias"]
        let extra = otherTensorNames.filter { name in !poolers.contains(where: name.hasSuffix) }
        guard config.family.isEncoder else {
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
                    problem: "the head of \(quoted(named ?? "")) has it, and the file does not",
                    remedy: "fetch the model again, or correct architectures in config.json")
            }
        }
        // Files often name another class than that whose tensors they have.
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
        let isEncoder = config.family.isEncoder
        return config.unknownHead(
            name ?? "", tensors[0],
            known: isEncoder ? TaskHead.allCases.filter { outputs(of: $0) != nil } : nil)
    }
}

extension HuggingFaceConfig {
    /// The class that `architectures` names, if it is a decoder's with a head for anything but
    /// tokens.
    var unreadHead: String? {
        guard !family.isEncoder, let name = members["architectures"]?.array?.first?.string
        else { return nil }
        let head = TaskHead(ofClass: name)
        return head == .nextToken || head == TaskHead.base ? nil : name
    }

    /// The error that the head of a class is not known.
    ///
    /// - Parameters:
    ///   - name: The class.
    ///   - tensor: A tensor of the head.
    ///   - known: The heads that are known; nil for a decoder's.
    func unknownHead(_ name: String, _ tensor: String, known: [TaskHead]?) -> ModelFileError {
        let classes = (known ?? [.base, .nextToken]).map { family.className(of: $0) }
        return ModelFileError(
            file: path, subject: "field architectures",
            problem: "the head of \(quoted(name)) is not known, to which tensor "
                + "\(quoted(tensor)) belongs",
            remedy: "name a model of class " + classes.joined(separator: ", "))
    }
}
