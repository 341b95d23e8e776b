/// The errors of a table's predictions for whole models from which the table was not made.
public struct Verification: Hashable, Sendable {
    /// The predicted and the measured time of the model of one plan.
    public struct Entry: Hashable, Sendable {
        /// The seconds that the table predicts.
        public let predicted: Double
        /// The measured seconds, scaled so that the dense model's time equals the table's.
        public let measured: Timing
        /// The number of components that the plan removes completely.
        public let branchesRemoved: Int

        /// Creates an entry.
        public init(predicted: Double, measured: Timing, branchesRemoved: Int) {
            self.predicted = predicted
            self.measured = measured
            self.branchesRemoved = branchesRemoved
        }

        /// The relative error of the prediction, positive if the predicted time is too long.
        public var error: Double { predicted / measured.seconds - 1 }
    }

    /// The seed of the plans.
    public let seed: UInt64
    /// The plans, slowest first.
    public let entries: [Entry]

    /// Creates a verification of at least one plan.
    public init(seed: UInt64, entries: [Entry]) {
        self.seed = seed
        self.entries = entries
    }

    /// The median magnitude of the errors, as a fraction.
    public var medianError: Double { Statistics(entries.map { abs($0.error) }).median }

    /// The largest magnitude of an error, as a fraction.
    public var worstError: Double { entries.map { abs($0.error) }.max() ?? .nan }
}
