public import Tensors
public import Transformers

/// Prunes the components of one model with one calibration.
///
/// The last shrunk projection of each component is cached, because a closed loop requests many
/// models that differ in only some components.
public final class Surgery {
    /// The dense weights.
    public let dense: any WeightSource

    /// Whether all shrunk projections are cached, for a search that reads them again.
    ///
    /// They need several times the memory of the model.
    public var keepsAll = false {
        didSet { if !keepsAll { clearCache() } }
    }

    /// The output head on the grid of each format that needs ``GPTQ``.
    ///
    /// Plans with such a format have this head.
    public var roundedHeads: [Precision: CodedMatrix] = [:]

    /// The maximum size in bytes of the cache if `keepsAll` is false.
    private static let maximumBytes = 1 << 30

    /// The importance of each channel of the residual stream; empty if no channel is removed.
    private let channelImportance: [Double]

    private let calibration: CalibrationFile
    /// The fraction of the mean diagonal that is added to the diagonal of every Hessian.
    let damping: Double
    private let engine: Engine
    private var shrunk: [Component: [Cut: Projection]] = [:]
    private var shrunkBytes = 0
    /// The last surgeon, because one component is often cut to several levels in a row.
    private var surgeon: (component: Component, surgeon: OptimalBrainSurgeon)?

    /// The kept units of a component and their correction.
    private struct Cut: Hashable {
        let units: [Int]
        let correction: Correction
    }

    /// Prepares to prune a model.
    ///
    /// - Parameters:
    ///   - dense: The dense weights.
    ///   - calibration: The second moments of the inputs of each component's last projection.
    ///   - channelImportance: The importance of each channel of the residual stream. A plan that
    ///     reduces the hidden size keeps the most important channels.
    ///   - damping: The fraction of the mean diagonal that is added to the diagonal of every
    ///     Hessian.
    ///   - engine: The engine to compute on.
    public init(
        _ dense: any WeightSource, calibration: CalibrationFile, channelImportance: [Double] = [],
        damping: Double = 0.01, engine: Engine
    ) {
        self.dense = dense
        self.channelImportance = channelImportance
        self.calibration = calibration
        self.damping = damping
        self.engine = engine
    }

    /// The ranking that decides which units are removed first, and how the kept weights change.
    public enum Order: Sendable, Equatable {
        /// By Optimal Brain Surgeon, which corrects the kept weights.
        case optimalBrainSurgeon
        /// By the variance of the units' outputs; the bias replaces their means.
        case fluctuation
        /// By the norm of the units' weights; the kept weights are not changed.
        case magnitude
        /// By the mean square of the units' activations; the kept weights are not changed.
        case activation
        /// At random; the kept weights are not changed.
        case random(seed: UInt64)

        /// The correction for removed units.
        public var correction: Correction {
            switch self {
            case .optimalBrainSurgeon: .leastSquares
            case .fluctuation: .bias
            case .magnitude, .activation, .random: .none
            }
        }
    }

    /// The correction for removed units.
    public enum Correction: Sendable {
        /// Nothing is corrected.
        case none
        /// The bias is increased by the mean output of the removed units.
        case bias
        /// The kept weights, and the bias if there is one, are fitted to the dense output.
        case leastSquares
    }

    /// Computes the removal order and the error of every level of every component.
    ///
    /// - Parameters:
    ///   - order: The ranking of units.
    ///   - progress: Called with the number of finished components; may throw an error to stop.
    /// - Returns: The losses.
    /// - Throws: `SurgeonError`, a read error, or what `progress` throws.
    public func losses(
        order: Order, progress: (Int) throws -> Void = { _ in }
    ) throws -> LossTable {
        var table = LossTable()
        for component in dense.shape.components {
            let layer = try dense.layer(component.layer)
            guard let output = layer.outputProjection(of: component.kind) else { continue }
            let surgeon =
                try order == .fluctuation
                ? fluctuationSurgeon(for: component, output: output)
                : surgeon(for: component, output: output)
            let removal =
                switch order {
                case .optimalBrainSurgeon: try surgeon.removalOrder()
                case .fluctuation: surgeon.fluctuationOrder()
                case .magnitude: surgeon.magnitudeOrder()
                case .activation: surgeon.activationOrder()
                case .random(let seed):
                    surgeon.randomOrder(
                        seed: seed &+ UInt64(2 * component.layer)
                            &+ (component.kind == .attention ? 0 : 1))
                }
            table.components[component] = ComponentLosses(removal: removal, norm: surgeon.norm)
            try progress(table.components.count)
        }
        return table
    }

    /// Returns the last projection of a component that keeps some of its units.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - output: The dense last projection of the component.
    ///   - units: The kept units, ascending.
    ///   - correction: The correction for the removed units.
    /// - Returns: The projection of the kept columns, with its bias.
    /// - Throws: `SurgeonError` or a read error.
    func projection(
        of component: Component, from output: Projection, keeping units: [Int],
        correction: Correction
    ) throws -> Projection {
        let cut = Cut(units: units, correction: correction)
        if let known = shrunk[component]?[cut] { return known }
        let columns = units.rows(of: unitSize(of: component))
        var projection = Projection(
            weight: output.weight.selecting(columns: columns), bias: output.bias)
        switch correction {
        case .none: return projection  // Recomputing it is cheaper than caching it.
        case .bias:
            let means = try calibration.means(of: component)
            let removed = Set(0..<output.weight.columns).subtracting(columns).sorted()
            projection.bias = (0..<output.weight.rows).map { row in
                removed.reduce(output.bias?[row] ?? 0) {
                    $0 + output.weight[row, $1] * Float(means[$1])
                }
            }
        case .leastSquares:
            let fit = try surgeon(for: component, output: output).refit(keeping: units)
            projection = output.bias == nil ? Projection(weight: fit) : Projection(splitting: fit)
        }
        keep(projection, as: cut, of: component)
        return projection
    }

    /// Returns the most important channels of the residual stream, ascending.
    ///
    /// - Precondition: The importance of the channels is known.
    func channels(_ count: Int) -> [Int] {
        precondition(channelImportance.count == dense.shape.hiddenSize, "no importance")
        let order = channelImportance.indices.sorted {
            (-channelImportance[$0], $0) < (-channelImportance[$1], $1)
        }
        return order.prefix(count).sorted()
    }

    /// Frees the cached projections and the last surgeon.
    func clearCache() { (shrunk, shrunkBytes, surgeon) = ([:], 0, nil) }

    private func keep(_ projection: Projection, as cut: Cut, of component: Component) {
        func bytes(_ projection: Projection) -> Int {
            projection.weight.elements.count * MemoryLayout<Float>.size
        }
        if !keepsAll {
            shrunkBytes -= (shrunk.removeValue(forKey: component) ?? [:]).values
                .reduce(0) { $0 + bytes($1) }
            if shrunkBytes + bytes(projection) > Self.maximumBytes {
                (shrunk, shrunkBytes) = ([:], 0)
            }
        }
        shrunk[component, default: [:]][cut] = projection
        shrunkBytes += bytes(projection)
    }

    /// β: the weight of a branch's dense outputs, relative to its targets in the shrunk model.
    static let denseShare = 0.5

    /// γ: the share of the difference between a refit's tokens and all text that is corrected.
    ///
    /// The moments of the dense model estimate this difference. A much larger share makes sums of
    /// moments that are not positive definite.
    static let controlShare = 0.25

    /// The moments of the dense model that a refit adds to the moments of its own tokens.
    ///
    /// They are the second moments of the inputs, and of the outputs with the inputs.
    struct DenseMoments {
        fileprivate var inputs: Matrix<Double>
        fileprivate var outputs: Matrix<Double>
    }

    /// Returns the dense moments of a component, `(β + γ) E[·] − γ Ê[·]`.
    ///
    /// `E` is the mean over all calibration text, and `Ê` the mean over the tokens of a refit.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - output: The dense last projection of the component.
    ///   - sample: The second moments of the dense inputs over the tokens of a refit; if there is a
    ///     bias, the last input is 1.
    /// - Returns: The moments.
    /// - Throws: A read error.
    func denseMoments(
        of component: Component, output: Projection, sample: Matrix<Double>
    ) throws -> DenseMoments {
        let weight = output.joined
        var inputs = try calibration.hessian(of: component, withOnes: output.bias != nil)
        inputs.scale(
            by: Self.denseShare + Self.controlShare, adding: sample, times: -Self.controlShare)
        let outputs = Matrix(
            rows: weight.rows, columns: weight.columns, elements: weight.elements.map(Double.init)
        ).multiplied(by: inputs, pool: engine.pool)
        return DenseMoments(inputs: inputs, outputs: outputs)
    }

    /// Returns the units and the last projection of a component that fit two targets best.
    ///
    /// The first target belongs to the inputs in the shrunk model. The second is the dense output
    /// for the inputs in the dense model.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - output: The dense last projection of the component.
    ///   - level: The number of units to keep.
    ///   - moments: The second moments of the targets, of the inputs of all units in the shrunk
    ///     model, and of 1 if there is a bias, in this order. The moments of targets with targets
    ///     are not used.
    ///   - dense: The moments of the dense model.
    /// - Returns: The kept units, ascending, and their projection.
    /// - Throws: `SurgeonError`.
    func refit(
        _ component: Component, of output: Projection, to level: Int, moments: Matrix<Double>,
        dense: DenseMoments
    ) throws -> (units: [Int], projection: Projection) {
        let (weight, hasBias) = (output.joined, output.bias != nil)
        let (targets, inputs) = (0..<weight.rows, weight.rows..<moments.columns)
        var hessian = moments.block(rows: inputs, columns: inputs)
        var moment = moments.block(rows: targets, columns: inputs)
        hessian.scale(by: 1, adding: dense.inputs, times: 1)
        moment.scale(by: 1, adding: dense.outputs, times: 1)
        func surgeon(_ weight: Matrix<Float>) throws -> OptimalBrainSurgeon {
            try OptimalBrainSurgeon(
                weight: weight, hessian: hessian, unitSize: unitSize(of: component),
                hasBias: hasBias, damping: damping, pool: engine.pool)
        }
        // First find the best weights of all units. The units to remove are then chosen with them.
        let whole = try surgeon(weight)
        var units = Array(0..<whole.units)
        var fit = try whole.refit(keeping: units, towards: moment)
        if level < whole.units {
            let best = try surgeon(fit)
            units = try best.kept(level)
            fit = try best.refit(keeping: units)
        }
        return (units, hasBias ? Projection(splitting: fit) : Projection(weight: fit))
    }

    private func surgeon(
        for component: Component, output: Projection
    ) throws -> OptimalBrainSurgeon {
        if let surgeon, surgeon.component == component { return surgeon.surgeon }
        surgeon = nil
        let made = try OptimalBrainSurgeon(
            weight: output.joined,
            hessian: calibration.hessian(of: component, withOnes: output.bias != nil),
            unitSize: unitSize(of: component), hasBias: output.bias != nil, damping: damping,
            pool: engine.pool)
        surgeon = (component, made)
        return made
    }

    /// Returns a surgeon whose Hessian is the covariance of the inputs.
    private func fluctuationSurgeon(
        for component: Component, output: Projection
    ) throws -> OptimalBrainSurgeon {
        let means = try calibration.means(of: component)
        var hessian = try calibration.hessian(of: component, withOnes: false)
        for row in 0..<means.count {
            for column in 0..<means.count { hessian[row, column] -= means[row] * means[column] }
            hessian[row, row] = max(hessian[row, row], 0)
        }
        return try OptimalBrainSurgeon(
            weight: output.weight, hessian: hessian, unitSize: unitSize(of: component),
            damping: damping, pool: engine.pool)
    }

    private func unitSize(of component: Component) -> Int {
        dense.shape.unitSize(of: component)
    }
}

extension ModelShape {
    /// The number of input columns of a component's last projection that belong to one unit.
    func unitSize(of component: Component) -> Int {
        let layer = layers[component.layer]
        switch component.kind {
        case .attention: return layer.queryHeads / layer.keyValueHeads * headDimension
        case .feedForward: return 1
        }
    }
}

extension Matrix<Double> {
    /// Multiplies the matrix by a factor, and adds another matrix times its own factor.
    fileprivate mutating func scale(by scale: Double, adding other: Matrix, times factor: Double) {
        for index in elements.indices {
            elements[index] = scale * elements[index] + factor * other.elements[index]
        }
    }

    /// Returns the block of these rows and columns.
    fileprivate func block(rows: Range<Int>, columns: Range<Int>) -> Matrix<Double> {
        Matrix(
            rows: rows.count, columns: columns.count,
            elements: rows.flatMap { row in
                let first = row * self.columns
                return elements[first + columns.lowerBound..<first + columns.upperBound]
            })
    }
}

extension Projection {
    /// The weight and the bias as one matrix; the bias is the last column.
    fileprivate var joined: Matrix<Float> {
        guard let bias else { return weight }
        var elements: [Float] = []
        elements.reserveCapacity(weight.rows * (weight.columns + 1))
        for row in 0..<weight.rows {
            elements += weight.row(row)
            elements.append(bias[row])
        }
        return Matrix(rows: weight.rows, columns: weight.columns + 1, elements: elements)
    }

    /// Splits a matrix into a weight and, from its last column, a bias.
    fileprivate init(splitting joined: Matrix<Float>) {
        let last = joined.columns - 1
        self.init(
            weight: joined.selecting(columns: Array(0..<last)),
            bias: (0..<joined.rows).map { joined[$0, last] })
    }
}
