import Testing

@testable import Evaluation

@Suite struct LostAnswerTests {
    private func task(_ items: [TaskItem], labels: [String] = []) -> EvaluationTask {
        EvaluationTask(
            name: "t", kind: items[0].kind, items: items, labels: labels, examples: "",
            delimiter: Delimiter(given: nil))
    }

    private func result(
        _ scores: [Double], margins: [Double]? = nil, choices: [Int]? = nil,
        answers: [[String]]? = nil
    ) -> TaskResult {
        var result = TaskResult(name: "t", metric: "acc", scores: scores)
        (result.margins, result.choices, result.answers) = (margins, choices, answers)
        return result
    }

    @Test("lost answers are those that became wrong, with the largest fall first")
    func choices() {
        let items = (0..<4).map {
            TaskItem.choice(prompt: "q\($0)", choices: ["a", "b", "c"], gold: 1)
        }
        let dense = result([1, 1, 0, 1], margins: [0.5, 3, -1, 1], choices: [1, 1, 0, 1])
        let pruned = result([0, 0, 1, 1], margins: [-0.5, -2, 1, 1], choices: [0, 2, 1, 1])
        let lost = task(items).lostAnswers(of: pruned, from: dense, atMost: 5)
        #expect(
            lost == [
                LostAnswer(prompt: "q1", expected: "b", answer: "c"),
                LostAnswer(prompt: "q0", expected: "b", answer: "a"),
            ])
        #expect(task(items).lostAnswers(of: pruned, from: dense, atMost: 1).count == 1)
        #expect(task(items).lostAnswers(of: dense, from: dense, atMost: 5).isEmpty)
    }

    @Test("generated answers and labels are shown; scores that are no verdicts give nothing")
    func others() {
        let questions = [TaskItem.question(prompt: "q", answers: ["x", "y"])]
        let (right, wrong) = (result([1]), result([0], answers: [["no", "idea"]]))
        #expect(
            task(questions).lostAnswers(of: wrong, from: right, atMost: 1)
                == [LostAnswer(prompt: "q", expected: "x", answer: "no\nidea")])
        let texts = [TaskItem.labelled(text: "a", second: "b", prompt: "", label: 1)]
        #expect(
            task(texts, labels: ["no", "yes"]).lostAnswers(
                of: result([0], choices: [0]), from: right, atMost: 1)
                == [LostAnswer(prompt: "a\nb", expected: "yes", answer: "no")])
        #expect(
            task(questions).lostAnswers(of: result([0.5]), from: right, atMost: 1).isEmpty)
    }
}
