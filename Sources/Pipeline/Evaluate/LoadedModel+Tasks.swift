internal import Evaluation
internal import ModelFiles
internal import Tensors
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
        let total = task.items.count
        return try opened.progress.counting(
            "\(task.name), \(location.name)", total: total, unit: "items"
        ) { advance in
            try task.run(
                model, classifier: classifier, tokenizer: try checkpoint.tokenizer(),
                engine: engine
            ) { try advance(Int(($0 * Double(total)).rounded())) }
        }
    }

    /// The problem of a task that does not suit the model, and the remedy; nil if the task suits
    /// it.
    private func fault(
        of task: EvaluationTask, for classifier: Classifier?
    ) -> (problem: String, remedy: String)? {
        let isEncoder = model.shape.architecture.isEncoder
        switch task.kind {
        case .similarity where isEncoder: return nil
        case .classification where isEncoder:
            guard case .labels(let count)? = classifier?.kind else {
                return (
                    "the model has no head that gives labels",
                    "name a model for sequence classification"
                )
            }
            let maximum = task.maximumLabel
            return maximum < count
                ? nil
                : (
                    "it has label \(maximum), the model's head \(count)",
                    "give a task with the model's labels, from 0 on"
                )
        case .questions where isEncoder:
            guard classifier?.kind == .spans else {
                return (
                    "the model has no head that finds answers in passages",
                    "name a model for question answering, or train one with `espalier finetune`"
                )
            }
            let hasPassages = task.items.contains {
                if case .question(_, _, .some) = $0 { true } else { false }
            }
            return hasPassages
                ? nil
                : (
                    "no question has a passage to find the answer in",
                    "give each line a \"passage\""
                )
        case .classification where task.labels.isEmpty:
            return (
                "it does not say by which words a decoder tells the labels",
                "put {\"labels\": [\"…\", \"…\"]} into its first line"
            )
        case .similarity:
            return ("\(task.kind.rawValue) is nothing for a decoder", "name an encoder")
        default:
            return isEncoder
                ? (
                    "\(task.kind.rawValue) is nothing for an encoder",
                    "give an encoder texts with labels, pairs with scores, or passages with questions"
                ) : nil
        }
    }
}
