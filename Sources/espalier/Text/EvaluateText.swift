import Console
import Foundation
import Pipeline
import Reporting

extension EvaluateAnswer {
    /// The answer as text for people.
    var text: String {
        ([tokens > 0 ? figures : nil, tasks.isEmpty ? nil : taskTable].compactMap(\.self)
            + (samples ?? []).map(\.shown)).joined(separator: "\n")
    }

    private var taskTable: String {
        let isCompared = tasks.values.contains { $0.dense != nil }
        var table = Table(
            titles: ["task", "items", "metric", "value", "±"]
                + (isCompared ? ["other", "change", "flips", "p"] : []))
        func figure(_ value: Double?, digits: Int = 4) -> String {
            value.map { Figures.significant($0, digits: digits) } ?? ""
        }
        func percent(_ value: Double?) -> String {
            value.map { String(format: "%.1f%%", $0 * 100) } ?? ""
        }
        for (name, answer) in tasks.sorted(by: { $0.key < $1.key }) {
            table.add(row: [
                name, String(answer.items), answer.metric, figure(answer.value),
                figure(answer.stderr, digits: 2), figure(answer.dense), percent(answer.relative),
                percent(answer.flips), figure(answer.pValue, digits: 2),
            ])
            for (metric, value) in answer.others.sorted(by: { $0.key < $1.key }) {
                table.add(row: [
                    "", "", metric, figure(value), "", figure(answer.denseOthers?[metric]),
                ])
            }
            for subject in answer.subjects ?? [] {
                table.add(row: [
                    "  " + subject.name, String(subject.items), "", figure(subject.value), "",
                    figure(subject.dense),
                ])
            }
            if let judged = answer.judgement {
                table.add(row: [
                    "", "", "win rate", figure(judged.winRate), figure(judged.stderr, digits: 2),
                ])
                table.add(row: ["", "", "orders agree", figure(judged.agreement)])
            }
            if let perplexity = answer.perplexityOfAnswers {
                table.add(row: ["", "", "perplexity of answers", figure(perplexity)])
            }
        }
        let notes =
            tasks.sorted { $0.key < $1.key }.flatMap { name, answer in
                ((answer.notes ?? []) + [answer.judgement?.sentence].compactMap(\.self)).map {
                    "\(name): \($0)"
                }
            } + (skipped ?? []).map { "\($0): The model cannot run this task." }
        return ([table.rendered()] + notes).joined(separator: "\n")
    }

    private var figures: String {
        var table = Table("measure", "value")
        func add(_ name: String, _ value: Double?) {
            if let value { table.add(name, Figures.significant(value, digits: 5)) }
        }
        table.add("tokens", String(tokens))
        add("perplexity", perplexity)
        add("mean negative log-likelihood", meanNLL)
        add("divergence (KL, nats)", kl)
        if let top1 { table.add("same most likely token", Figures.percent(top1)) }
        add("mean cosine distance", meanCosineDistance)
        return table.rendered()
    }
}

extension EvaluateAnswer.Sample {
    /// The sample as text for people, with one line for each text.
    fileprivate var shown: String {
        let lines = [
            ("prompt", prompt), ("writes", text), other.map { ("other", $0) },
        ].compactMap(\.self)
        return lines.map { name, text in
            let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
            return "\(name): \(line)"
        }.joined(separator: "\n")
    }
}

extension Judgement {
    /// The verdicts as a sentence.
    fileprivate var sentence: String {
        let once = firstTwice + secondTwice
        return "Wins \(wins), ties \(ties), losses \(losses). In \(once) pairs the judge chose the "
            + "same place in both orders, \(firstTwice) times the first."
    }
}
