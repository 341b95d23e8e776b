public import ModelFiles

/// How Llama 3.1 and later slow the turning of rotary positions, for texts longer than those that the
/// model was first trained on: pairs that turn slowly by a factor, fast ones not at all, those between
/// by something between.
///
/// Source: `rope_type` `llama3` of transformers.
public struct RopeScaling: Codable, Hashable, Sendable {
    /// `factor`: by how much the slowest pairs are slowed.
    public var factor: Double
    /// `low_freq_factor`: pairs that turn fewer times in ``originalPositions`` are slow.
    public var slowTurns: Double
    /// `high_freq_factor`: pairs that turn more often in them are fast.
    public var fastTurns: Double
    /// `original_max_position_embeddings`.
    public var originalPositions: Int

    /// Creates a scaling; what Llama 3.1 and later have but for the factor by default.
    public init(
        factor: Double, slowTurns: Double = 1, fastTurns: Double = 4, originalPositions: Int = 8192
    ) {
        self.factor = factor
        self.slowTurns = slowTurns
        self.fastTurns = fastTurns
        self.originalPositions = originalPositions
    }

    /// What the frequency of a pair is divided by.
    ///
    /// - Parameter frequency: The angle that it turns by from one position to the next.
    /// - Returns: From 1, for fast pairs, to the factor.
    public func divisor(of frequency: Double) -> Double {
        let turns = Double(originalPositions) * frequency / (2 * .pi)
        if turns < slowTurns { return factor }
        if turns > fastTurns { return 1 }
        let share = (turns - slowTurns) / (fastTurns - slowTurns)
        return 1 / ((1 - share) / factor + share)
    }
}

extension RopeScaling {
    /// Reads the members of `rope_scaling`.
    init(_ fields: ConfigFields) throws(ModelFileError) {
        func value(_ name: String) throws(ModelFileError) -> Double {
            guard let value = try fields.positive(name) else {
                throw fields.fault(name, "it is missing", remedy: "fetch the model again")
            }
            return value
        }
        self.init(
            factor: try value("factor"), slowTurns: try value("low_freq_factor"),
            fastTurns: try value("high_freq_factor"),
            originalPositions: try fields.size(
                "original_max_position_embeddings", upTo: HuggingFaceConfig.Limit.table))
        guard factor >= 1 else {
            throw fields.fault("factor", "it is less than 1", remedy: "fetch the model again")
        }
        guard slowTurns < fastTurns else {
            throw fields.fault(
                "high_freq_factor", "it is not above low_freq_factor",
                remedy: "fetch the model again")
        }
    }

    /// The members of `rope_scaling`.
    public var members: [JSONKey: JSONValue] {
        [
            "rope_type": .string("llama3"), "factor": .number(factor),
            "low_freq_factor": .number(slowTurns), "high_freq_factor": .number(fastTurns),
            "original_max_position_embeddings": .integer(originalPositions),
        ]
    }
}
