/// The origin of the second text of a report.
public enum SecondTextOrigin: String, Codable, Sendable {
    /// A file that was given with `--evaluation`.
    case given
    /// The text that is part of the program.
    case builtIn
}

/// Quality on a second evaluation set, of another kind than the calibration text.
extension PruneReport {
    /// The texts that quality was measured on, one paragraph for each text.
    public var evaluationTexts: [String] {
        guard let secondText else { return ["Evaluation text: \(evaluatedOn)."] }
        let origin =
            switch secondOrigin {
            case .given: ", given with --evaluation"
            case .builtIn: ", a story that is part of Espalier"
            case nil: ""
            }
        return [
            "Evaluation text: \(evaluatedOn).",
            "Second text: \(secondText)\(origin). A pruned model can lose more on text that is "
                + "unlike its calibration text.",
        ]
    }

    /// The second text inside a sentence, such as `the second text, novel.txt`.
    var secondSubject: String {
        "the second text" + (secondText.map { ", " + Self.name(of: $0) } ?? "")
    }

    /// Returns the description of a text without its number of tokens.
    private static func name(of description: String) -> Substring {
        guard description.hasSuffix(" tokens"), let comma = description.lastIndex(of: ",")
        else { return description[...] }
        return description[..<comma]
    }
}
