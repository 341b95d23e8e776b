public import Foundation

extension Process {
    /// A description of how a finished process ended, such as `it was ended by signal 9 (Killed)`.
    public var ending: String {
        guard terminationReason == .uncaughtSignal else {
            return "it ended with status \(terminationStatus)"
        }
        let name = strsignal(terminationStatus).map { String(cString: $0) } ?? "unknown"
        return "it was ended by signal \(terminationStatus) (\(name))"
    }
}
