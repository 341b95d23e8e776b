import Console
import Pipeline
import Reporting

extension TrainingOptions {
    /// Trains, and prints the result.
    func train(printsJSON: Bool) throws {
        let progress = TerminalProgress()
        let answer = try TrainingJob(self, progress: progress).run()
        let notes = try notesOnDisk(progress: progress)
        remark(notes.models)
        if let note = notes.work { remark(TerminalText.wrapped(note)) }
        if printsJSON { try printJSON(answer) } else { print(answer.text) }
    }
}

extension TrainingResult {
    /// The result as text for people.
    fileprivate var text: String {
        var table = Table("measure", "value")
        table.add("steps", Figures.shortCount(steps))
        table.add("tokens", Figures.shortCount(trainedTokens))
        table.add("tokens per second", Figures.significant(tokensPerSecond, digits: 3))
        table.add("held out", Figures.shortCount(heldOut))
        table.add(measure + " before", Figures.significant(before, digits: 4))
        table.add(measure, Figures.significant(after, digits: 4))
        return table.rendered() + "\nModel: \(path)"
    }
}
