/// An item that a reference model answers correctly and another model does not.
public struct LostAnswer: Sendable, Equatable {
    /// The item as the model reads it, without examples.
    public let prompt: String
    /// The correct answer.
    public let expected: String
    /// The wrong answer; nil if the task has none to show.
    public let answer: String?
}

extension EvaluationTask {
    /// Returns items that the reference model answers correctly and the model does not.
    ///
    /// The first items are those where the correct answer lost most likelihood relative to the best
    /// other answer. Generated answers are in the order of the items.
    ///
    /// - Parameters:
    ///   - result: The result of the model.
    ///   - reference: The result of the reference model on the same items.
    ///   - most: The maximum number of items.
    /// - Returns: The items; none if answers are not simply right or wrong.
    public func lostAnswers(
        of result: TaskResult, from reference: TaskResult, atMost most: Int
    ) -> [LostAnswer] {
        guard result.scores.count == items.count,
            (result.scores + reference.scores).allSatisfy({ $0 == 0 || $0 == 1 })
        else { return [] }
        func fall(_ index: Int) -> Double {
            guard let after = result.margins, let before = reference.margins else { return 0 }
            return before[index] - after[index]
        }
        let lost = items.indices.filter { reference.scores[$0] == 1 && result.scores[$0] == 0 }
            .sorted { (-fall($0), $0) < (-fall($1), $1) }
        return lost.prefix(most).compactMap { index in
            shown(
                items[index], choice: result.choices?[index],
                written: result.answers?[index].joined(separator: "\n"))
        }
    }

    private func shown(_ item: TaskItem, choice: Int?, written: String?) -> LostAnswer? {
        func label(_ index: Int) -> String {
            labels.indices.contains(index) ? labels[index] : "label \(index)"
        }
        return switch item {
        case .choice(let prompt, let choices, let gold):
            LostAnswer(
                prompt: prompt, expected: choices[gold], answer: choice.map { choices[$0] })
        case .partial(let contexts, let text, let gold):
            LostAnswer(
                prompt: text, expected: contexts[gold], answer: choice.map { contexts[$0] })
        case .lastWords(let context, let continuation):
            LostAnswer(prompt: context, expected: continuation, answer: nil)
        case .minimalPair(let good, let bad):
            LostAnswer(prompt: "", expected: good, answer: bad)
        case .labelled(let text, let second, _, let gold):
            LostAnswer(
                prompt: [text, second].compactMap(\.self).joined(separator: "\n"),
                expected: label(gold), answer: choice.map(label))
        case .question(let prompt, let answers, _):
            LostAnswer(prompt: prompt, expected: answers.first ?? "", answer: written)
        case .calculation(let prompt, let answer):
            LostAnswer(prompt: prompt, expected: answer, answer: written)
        default: nil
        }
    }
}
