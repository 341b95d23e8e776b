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
        /// Whether the projection that comes first belongs to encoders without a head too, and has
        /// their prefix.
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

extension Family {
    /// The results of a head of this family's encoders; empty without a head, nil for a head that the
    /// family does not have.
    ///
    /// - Parameters:
    ///   - head: The head.
    ///   - names: What the encoder's tensors are called.
    /// - Returns: The results, by which tensors make them.
    public func outputs(of head: TaskHead, names: TensorNames) -> [TaskHead.Output]? {
        heads[head]?.map { output in
            guard output.isDensePooler, let pooler = output.dense else { return output }
            var output = output
            output.dense = names.tokens.dropLast("embeddings.word_embeddings".count) + pooler
            return output
        }
    }

    /// The class of `transformers` that loads a model of this family.
    public func className(of head: TaskHead) -> String {
        head == .nextToken ? nextTokenClass ?? className + head.rawValue : className + head.rawValue
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
        let isEncoder = config.family.architecture.isEncoder
        return config.unknownHead(
            name ?? "", tensors[0],
            known: isEncoder ? TaskHead.allCases.filter { outputs(of: $0) != nil } : nil)
    }
}

extension HuggingFaceConfig {
    /// The class that `architectures` names, if it is a decoder's with a head for anything but
    /// tokens.
    var unreadHead: String? {
        guard !family.architecture.isEncoder,
            let name = members["architectures"]?.array?.first?.string
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
    /// - Returns: The error, with the classes that are read.
    func unknownHead(_ name: String, _ tensor: String, known: [TaskHead]?) -> ModelFileError {
        let classes = (known ?? [.base, .nextToken]).map { family.className(of: $0) }
        return ModelFileError(
            file: path, subject: "field architectures",
            problem: "the head of \(quoted(name)) is not known, to which tensor "
                + "\(quoted(tensor)) belongs",
            remedy: "name a model of class " + classes.joined(separator: ", "))
    }
}
