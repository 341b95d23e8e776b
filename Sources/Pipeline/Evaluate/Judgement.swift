internal import Evaluation
internal import ModelFiles

/// The verdicts of a judge on the answers of a model and of a reference model.
///
/// Every pair of answers is judged in both orders. A model wins a pair if it wins in both orders.
/// Every other pair is a tie.
public struct Judgement: Encodable, Sendable {
    /// The fraction of pairs that the model wins; a tie counts as one half.
    public let winRate: Double
    /// The standard error of the win rate.
    public let stderr: Double
    /// The number of pairs that the model wins.
    public let wins: Int
    /// The number of pairs without a winner.
    public let ties: Int
    /// The number of pairs that the reference model wins.
    public let losses: Int
    /// The fraction of pairs with the same verdict in both orders.
    public let agreement: Double
    /// The number of pairs in which the answer that came first won in both orders.
    public let firstTwice: Int
    /// The number of pairs in which the answer that came second won in both orders.
    public let secondTwice: Int
    /// The score of each pair: 1 if the model wins, 0.5 for a tie, 0 if the reference model wins.
    public let scores: [Double]

    /// Asks a judge about the answers to all items of a task.
    ///
    /// - Parameters:
    ///   - items: The items.
    ///   - answers: The answers of the model and of the reference model to each item.
    ///   - judge: The judge.
    ///   - advance: Called with the number of pairs done; may throw to stop.
    /// - Throws: `ModelFileError` of the judge, or the error of `advance`.
    init(
        of items: [TaskItem], _ answers: [(own: [String], other: [String])], by judge: Judge,
        advance: (Int) throws -> Void
    ) throws {
        var verdicts: [(forward: Judge.Winner, backward: Judge.Winner)] = []
        for (item, pair) in zip(items, answers) {
            func winner(_ first: [String], _ second: [String]) throws -> Judge.Winner {
                try judge.winner(of: item.comparison(of: first, with: second))
            }
            verdicts.append((try winner(pair.own, pair.other), try winner(pair.other, pair.own)))
            try advance(verdicts.count)
        }
        func count(_ forward: Judge.Winner, _ backward: Judge.Winner) -> Int {
            verdicts.count { $0.forward == forward && $0.backward == backward }
        }
        (wins, losses) = (count(.first, .second), count(.second, .first))
        ties = verdicts.count - wins - losses
        (firstTwice, secondTwice) = (count(.first, .first), count(.second, .second))
        let total = Double(max(verdicts.count, 1))
        agreement = Double(wins + losses + count(.tie, .tie)) / total
        scores = verdicts.map {
            switch $0 {
            case (.first, .second): 1
            case (.second, .first): 0
            default: 0.5
            }
        }
        winRate = scores.reduce(0, +) / total
        stderr = TaskResult.error(of: scores)
    }
}

extension TaskItem {
    /// Returns the members of the line of JSON with which a judge compares two answers.
    fileprivate func comparison(
        of first: [String], with second: [String]
    ) -> [JSONKey: JSONValue] {
        func value(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
        switch self {
        case .conversation(let turns):
            return ["turns": value(turns), "first": value(first), "second": value(second)]
        case .document(let prompt, _):
            return [
                "question": .string(prompt), "first": .string(first.joined()),
                "second": .string(second.joined()),
            ]
        default: return [:]
        }
    }
}
