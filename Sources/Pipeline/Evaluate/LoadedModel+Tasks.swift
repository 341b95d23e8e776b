internal import Evaluation
internal import ModelFiles
internal import Tensors
internal import Tokenizers
internal import Transformers

extension LoadedModel {
    /// Runs a task on the model, and shows the progress.
    ///
    /// - Throws: `ModelFileError` if the task does not suit the model, or `CancellationError`.
    func ask(_ task: EvaluationTask, on engine: Engine) throws -> TaskResult {
        let classifier = try checkpoint.classifier()
        if let fault = fault(of: task, for: classifier) {
            throw ModelFileError(
                file: location.path, subject: task.name, problem: fault.problem,
                remedy: fault.remedy)
        }
        let tokenizer = try checkpoint.tokenizer()
        let chat = try task.needsChat ? chatMarkup(tokenizer) : nil
        let total = task.items.count
        return try opened.progress.counting(
            "\(task.name), \(location.name)", total: total, unit: "items"
        ) { advance in
            try task.run(
                model, classifier: classifier, tokenizer: tokenizer, engine: engine, chat: chat
            ) { try advance(Int(($0 * Double(total)).rounded())) }
        }
    }

    /// Returns whether the model can run a task.
    ///
    /// - Throws: `ModelFileError` if the model's head or tokenizer is damaged.
    func canRun(_ task: EvaluationTask) throws -> Bool {
        let classifier = try checkpoint.classifier()
        return fault(of: task, for: classifier) == nil
            && (!task.needsChat || checkpoint.hasChatTemplate)
    }

    /// Returns the chat markup of the model.
    private func chatMarkup(_ tokenizer: some Tokenizer) throws -> ChatMarkup {
        guard let format = try checkpoint.chatFormat(with: tokenizer) else {
            throw ModelFileError(
                file: location.path,
                problem: "the model has no chat template, which the task needs",
                remedy: "name a model that was trained to chat")
        }
        return ChatMarkup(ends: try checkpoint.endTokens(with: tokenizer), prompt: format)
    }

    /// Returns why the model cannot run a task, and the remedy; nil if it can run the task.
    private func fault(
        of task: EvaluationTask, for classifier: Classifier?
    ) -> (problem: String, remedy: String)? {
        let isEncoder = model.shape.architecture.isEncoder
        switch task.kind {
        case .similarity where isEncoder: return nil
        case let kind where kind.comparesVectors && isEncoder: return nil
        case .classification where isEncoder:
            guard case .labels(let count)? = classifier?.kind else {
                return (
                    "the model has no classification head",
                    "name a model for sequence classification"
                )
            }
            let maximum = task.maximumLabel
            return maximum < count
                ? nil
                : (
                    "it uses label \(maximum), but the model has only \(count) labels, 0 to "
                        + "\(count - 1)",
                    "number the labels of the task as the model does, starting at 0"
                )
        case .questions where isEncoder:
            guard classifier?.kind == .spans else {
                return (
                    "the model has no head for extractive question answering",
                    "name a model for question answering, or train one with `espalier finetune`"
                )
            }
            let hasPassages = task.items.contains {
                if case .question(_, _, .some) = $0 { true } else { false }
            }
            return hasPassages
                ? nil
                : (
                    "no question has a passage that contains the answer",
                    "give each line a \"passage\""
                )
        case .classification where task.labels.isEmpty:
            return (
                "it has no label words, which a decoder needs to answer with",
                "put {\"labels\": [\"…\", \"…\"]} into its first line"
            )
        case .similarity, .retrieval, .reranking, .clustering, .fewShot, .pairs:
            return ("a decoder cannot run a \(task.kind.rawValue) task", "name an encoder")
        default:
            return isEncoder
                ? (
                    "an encoder cannot run a \(task.kind.rawValue) task",
                    "give an encoder texts with labels, pairs with scores, or passages with questions"
                ) : nil
        }
    }
}
