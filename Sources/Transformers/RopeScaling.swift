public import ModelFiles

/// The scaling of rotary frequencies in Llama 3.1 and later, for texts longer than in pretraining.
///
/// Low frequencies are divided by a factor. High frequencies are not changed. Frequencies between
/// the low and the high ones are divided by a number between 1 and the factor.
///
/// Source: `rope_type` `llama3` of transformers.
public struct RopeScaling: Codable, Hashable, Sendable {
    /// `factor`: the divisor of low frequencies.
    public var factor: Double
    /// `low_freq_factor`: a frequency is low if it makes fewer rotations in ``originalPositions``.
    public var lowFrequencyFactor: Double
    /// `high_freq_factor`: a frequency is high if it makes more rotations in ``originalPositions``.
    public var highFrequencyFactor: Double
    /// `original_max_position_embeddings`: the maximum sequence length in pretraining.
    public var originalPositions: Int

    /// The names in profiles and in the digest of a shape.
    private enum CodingKeys: String, CodingKey {
        case factor
        case lowFrequencyFactor = "slowTurns"
        case highFrequencyFactor = "fastTurns"
        case originalPositions
    }

    /// Creates a scaling.
    ///
    /// The default values are those of Llama 3.1 and later.
    public init(
        factor: Double, lowFrequencyFactor: Double = 1, highFrequencyFactor: Double = 4,
        originalPositions: Int = 8192
    ) {
        self.factor = factor
        self.lowFrequencyFactor = lowFrequencyFactor
        self.highFrequencyFactor = highFrequencyFactor
        self.originalPositions = originalPositions
    }

    /// The divisor of a frequency.
    ///
    /// - Parameter frequency: The angle of rotation from one position to the next, in radians.
    /// - Returns: A number from 1, for high frequencies, to ``factor``, for low ones.
    public func divisor(of frequency: Double) -> Double {
        let rotations = Double(originalPositions) * frequency / (2 * .pi)
        if rotations < lowFrequencyFactor { return factor }
        if rotations > highFrequencyFactor { return 1 }
        let share = (rotations - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
        return 1 / ((1 - share) / factor + share)
    }
}

extension RopeScaling {
    /// Reads a scaling from the members of `rope_scaling`.
    init(_ fields: ConfigFields) throws(ModelFileError) {
        func value(_ name: String) throws(ModelFileError) -> Double {
            guard let value = try fields.positive(name) else {
                throw fields.fault(name, "it is missing", remedy: "fetch the model again")
            }
            return value
        }
        self.init(
            factor: try value("factor"), lowFrequencyFactor: try value("low_freq_factor"),
            highFrequencyFactor: try value("high_freq_factor"),
            originalPositions: try fields.size(
                "original_max_position_embeddings", upTo: HuggingFaceConfig.Limit.table))
        guard factor >= 1 else {
            throw fields.fault("factor", "it is less than 1", remedy: "fetch the model again")
        }
        guard lowFrequencyFactor < highFrequencyFactor else {
            throw fields.fault(
                "high_freq_factor", "it is not above low_freq_factor",
                remedy: "fetch the model again")
        }
    }

    /// The members of `rope_scaling`.
    public var members: [JSONKey: JSONValue] {
        [
            "rope_type": .string("llama3"), "factor": .number(factor),
            "low_freq_factor": .number(lowFrequencyFactor),
            "high_freq_factor": .number(highFrequencyFactor),
            "original_max_position_embeddings": .integer(originalPositions),
        ]
    }
}
