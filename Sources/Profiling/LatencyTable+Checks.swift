public import Transformers

extension LatencyTable {
    /// Refuses a table whose values are impossible or inconsistent.
    ///
    /// - Throws: ``ProfileError`` that names the first invalid field.
    public func check() throws(ProfileError) {
        try check(shape)
        try check(environment)
        try check(machine)
        try check(dense, base, curves)
        for (format, other) in otherFormats.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            do {
                try check(other.dense, other.base, other.curves)
            } catch {
                var error = error
                error.field = "otherFormats.\(format.rawValue).\(error.field)"
                throw error
            }
        }
        for (format, timing) in heads.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            try check(timing, field: "heads.\(format.rawValue)")
        }
        try checkInterplay()
        try checkVerification()
    }

    /// Refuses a table that was measured for another model.
    ///
    /// - Parameters:
    ///   - other: The sizes of the model to be pruned.
    ///   - name: The name of that model.
    /// - Throws: ``ProfileError`` that names both models and the sizes that differ.
    public func check(against other: ModelShape, named name: String) throws(ProfileError) {
        guard shapeDigest != ShapeDigest(other) else { return }
        throw ProfileError(
            field: "model",
            problem: "it is of \(model ?? "a model") (\(shape.summary)), not of \(name) "
                + "(\(other.summary)); different sizes: \(shape.differences(from: other))",
            remedy:
                "profile this model with `espalier profile`, or prune the model of the profile"
        )
    }

    private func check(
        _ dense: Timing, _ base: Timing, _ curves: [ComponentKind: LatencyCurve]
    ) throws(ProfileError) {
        try check(dense, field: "dense")
        try check(base, field: "base")
        guard base.seconds < dense.seconds else {
            throw ProfileError(
                field: "base.seconds",
                problem: "is \(base.seconds), but must be less than dense.seconds, \(dense.seconds)"
            )
        }
        for kind in ComponentKind.allCases { try check(curves[kind], of: kind) }
    }

    private func check(_ shape: ModelShape) throws(ProfileError) {
        let sizes = 1...Int(Int32.max)
        let globals = [
            ("vocabularySize", shape.vocabularySize), ("hiddenSize", shape.hiddenSize),
            ("headDimension", shape.headDimension), ("maximumPositions", shape.maximumPositions),
        ]
        for (name, value) in globals { try require(value, in: sizes, field: "shape.\(name)") }
        for (index, layer) in shape.layers.enumerated() {
            let field = "shape.layers[\(index)]"
            let sizes = 0...Int(Int32.max)
            try require(layer.queryHeads, in: sizes, field: "\(field).queryHeads")
            try require(layer.keyValueHeads, in: sizes, field: "\(field).keyValueHeads")
            try require(layer.feedForward, in: sizes, field: "\(field).feedForward")
            let divides =
                layer.keyValueHeads == 0
                ? layer.queryHeads == 0
                : layer.queryHeads > 0 && layer.queryHeads % layer.keyValueHeads == 0
            guard divides else {
                throw ProfileError(
                    field: "\(field).queryHeads",
                    problem: "is \(layer.queryHeads), not a multiple of keyValueHeads")
            }
        }
    }

    private func check(_ environment: InferenceEnvironment) throws(ProfileError) {
        let sizes = 1...Int(Int32.max)
        try require(environment.batch, in: sizes, field: "environment.batch")
        try require(environment.threads, in: sizes, field: "environment.threads")
        let minimum = environment.phase == .decode ? 0 : 1
        try require(
            environment.sequence, in: minimum...Int(Int32.max), field: "environment.sequence")
    }

    private func check(_ machine: Machine) throws(ProfileError) {
        try require(machine.cores, in: 1...Int(Int32.max), field: "machine.cores")
        let bytes = [
            ("level1CacheBytes", machine.level1CacheBytes),
            ("level2CacheBytes", machine.level2CacheBytes),
            ("level3CacheBytes", machine.level3CacheBytes), ("memoryBytes", machine.memoryBytes),
        ]
        for (name, value) in bytes { try require(value, in: 0...Int.max, field: "machine.\(name)") }
        if let bandwidth = machine.memoryReadBandwidth {
            try require(bandwidth, field: "machine.memoryReadBandwidth")
        }
    }

    private func check(
        _ curve: LatencyCurve?, of kind: ComponentKind
    ) throws(ProfileError) {
        let field = "curves.\(kind.rawValue)"
        let maximum = shape.maximumLevel(of: kind)
        let entries = curve?.entries ?? []
        guard entries.first?.level ?? 0 == maximum else {
            let found = entries.first.map { "starts at level \($0.level)" } ?? "is missing"
            throw ProfileError(field: field, problem: "\(found), but must start at \(maximum)")
        }
        var above = Int.max
        for (index, entry) in entries.enumerated() {
            let field = "\(field)[\(index)]"
            guard entry.level > 0, entry.level < above else {
                throw ProfileError(
                    field: "\(field).level",
                    problem: "is \(entry.level), not between 0 and \(above)")
            }
            above = entry.level
            try check(
                Timing(
                    seconds: entry.seconds, low: entry.low, high: entry.high,
                    samples: entry.samples), field: field)
        }
    }

    private func checkInterplay() throws(ProfileError) {
        var last = Interplay.Knot(sum: 0, seconds: 0)
        for (index, knot) in interplay.knots.enumerated() {
            let field = "interplay[\(index)]"
            try require(knot.sum, field: "\(field).sum")
            try require(knot.seconds, field: "\(field).seconds")
            guard knot.sum > last.sum, knot.seconds > last.seconds else {
                throw ProfileError(field: field, problem: "its sum and seconds must rise")
            }
            last = knot
        }
    }

    private func checkVerification() throws(ProfileError) {
        for (index, entry) in (verification?.entries ?? []).enumerated() {
            try require(entry.predicted, field: "verification.pairs[\(index)][0]")
            try check(entry.measured, field: "verification.pairs[\(index)][1]")
        }
    }

    private func check(_ timing: Timing, field: String) throws(ProfileError) {
        try require(timing.seconds, field: "\(field).seconds")
        try require(timing.low, field: "\(field).low")
        try require(timing.high, field: "\(field).high")
        guard timing.low <= timing.seconds, timing.seconds <= timing.high else {
            throw ProfileError(
                field: "\(field).seconds",
                problem: "is \(timing.seconds), not between \(timing.low) and \(timing.high)")
        }
        try require(timing.samples, in: 1...Int.max, field: "\(field).samples")
    }

    private func require(_ value: Double, field: String) throws(ProfileError) {
        // Within these limits, ratios and sums stay finite.
        guard (1e-15...1e15).contains(value) else {
            throw ProfileError(field: field, problem: "is \(value), not within 1e-15 to 1e15")
        }
    }

    private func require(
        _ value: Int, in range: ClosedRange<Int>, field: String
    ) throws(ProfileError) {
        guard range.contains(value) else {
            throw ProfileError(
                field: field,
                problem: "is \(value), not within \(range.lowerBound) to \(range.upperBound)")
        }
    }
}
