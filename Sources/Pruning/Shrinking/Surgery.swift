public import Tensors
public import Transformers

/// Prunes components of one model with one calibration.
///
/// Each component's last shrunk projection is kept, because a closed loop asks again and again for
/// models that differ in few places.
public final class Surgery {
    /// The dense weights.
    public let dense: any WeightSource

    /// Whether all shrunk projections are kept, for a search that comes back to them; they take
    /// some times the memory of the model.
    public var keepsAll = false {
        didSet { if !keepsAll { forget() } }
    }

    /// The most bytes of shrunk projections that are kept where not all are.
    private static let mostBytes = 1 << 30

    /// How important each channel of the residual stream is; empty where none will go.
    private let channelImportance: [Double]

    private let calibration: CalibrationFile
    private let damping: Double
    private let engine: Engine
    private var shrunk: [Component: [Cut: Projection]] = [:]
    private var shrunkBytes = 0
    /// The last one, since one component is often cut to several levels in a row.
    private var surgeon: (component: Component, surgeon: OptimalBrainSurgeon)?

    /// What is left of a component.
    private struct Cut: Hashable {
        let units: [Int]
        let correction: Correction
    }

    /// Prepares to prune a model.
    ///
    /// - Parameters:
    ///   - dense: The dense weights.
    ///   - calibration: The second moments of its inputs.
    ///   - channelImportance: Which channels of the residual stream stay longest where a plan
    ///     narrows it.
    ///   - damping: The fraction of the mean diagonal added to every Hessian's diagonal.
    ///   - engine: What to compute on.
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

    /// Which units to remove first, and how the kept weights change.
    public enum Order: Sendable, Equatable {
        /// By Optimal Brain Surgeon, which corrects what stays.
        case optimalBrainSurgeon
        /// By how much the units' outputs vary; the bias makes up for their means.
        case fluctuation
        /// By the norm of the units' weights; what stays is left as it is.
        case magnitude
        /// By the norm of what the units give; what stays is left as it is.
        case activation
        /// At random; what stays is left as it is.
        case random(seed: UInt64)

        /// What makes up for the removed units.
        public var correction: Correction {
            switch self {
            case .optimalBrainSurgeon: .leastSquares
            case .fluctuation: .bias
            case .magnitude, .activation, .random: .none
            }
        }
    }

    /// What makes up for removed units.
    public enum Correction: Sendable {
        /// Nothing.
        case none
        /// A bias that gives what they gave on average.
        case bias
        /// The weights that stay, and the bias where there is one, fitted to the dense output.
        case leastSquares
    }

    /// The removal order and the error of every level of every component.
    ///
    /// - Parameters:
    ///   - order: How units are ranked.
    ///   - progress: Called with the components done; may throw to stop.
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

    /// The output projection of a component that keeps some of its units.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - output: Its dense output projection.
    ///   - units: The kept units, ascending.
    ///   - correction: What makes up for the other ones.
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
        case .none: return projection  // Less work than remembering it, in place of another.
        case .bias:
            let means = try calibration.means(of: component)
            let gone = Set(0..<output.weight.columns).subtracting(columns).sorted()
            projection.bias = (0..<output.weight.rows).map { row in
                gone.reduce(output.bias?[row] ?? 0) {
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

    /// The most important channels of the residual stream, ascending.
    ///
    /// - Precondition: Their importance is known.
    func channels(_ count: Int) -> [Int] {
        precondition(channelImportance.count == dense.shape.hiddenSize, "channels nobody ranked")
        let order = channelImportance.indices.sorted {
            (-channelImportance[$0], $0) < (-channelImportance[$1], $1)
        }
        return order.prefix(count).sorted()
    }

    /// Gives back the memory of shrunk projections and of the last surgeon.
    func forget() { (shrunk, shrunkBytes, surgeon) = ([:], 0, nil) }

    private func keep(_ projection: Projection, as cut: Cut, of component: Component) {
        func bytes(_ projection: Projection) -> Int {
            projection.weight.elements.count * MemoryLayout<Float>.size
        }
        if !keepsAll {
            shrunkBytes -= (shrunk.removeValue(forKey: component) ?? [:]).values
                .reduce(0) { $0 + bytes($1) }
            if shrunkBytes + bytes(projection) > Self.mostBytes { (shrunk, shrunkBytes) = ([:], 0) }
        }
        shrunk[component, default: [:]][cut] = projection
        shrunkBytes += bytes(projection)
    }

    /// β: how much what a branch did in the dense model counts beside what it is to do now.
    static let denseShare = 0.5

    /// γ: how much of what a refit's tokens have otherwise than all text is made up for.
    ///
    /// The dense model tells what that is. Much more leaves sums that are not positive definite.
    static let controlShare = 0.25

    /// What the dense model tells of a component beside a refit's own tokens: second moments of its
    /// inputs, and of its outputs with its inputs.
    struct DenseMoments {
        fileprivate var inputs: Matrix<Double>
        fileprivate var outputs: Matrix<Double>
    }

    /// The dense moments of a component, `(β + γ) E[·] − γ Ê[·]`, with E over all calibration text
    /// and Ê over the tokens of a refit.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - output: Its dense output projection.
    ///   - sample: The second moments, over the tokens of a refit, of the dense inputs, and 1 where
    ///     there is a bias.
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

    /// The units and the output projection of a component that serve two ends best: the targets of
    /// inputs that it has now, and its dense outputs on the inputs of the dense model.
    ///
    /// - Parameters:
    ///   - component: The component.
    ///   - output: Its dense output projection.
    ///   - level: How many units to keep.
    ///   - moments: The second moments of the targets, of all units' inputs now, and of 1 where there
    ///     is a bias, in this order; those of the targets among themselves do not count.
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
        // The best weights of all units; what to remove is then a question about these.
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

    /// A surgeon who sees how the inputs vary about their means.
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
    /// The input columns of a component's output projection that belong to one unit.
    func unitSize(of component: Component) -> Int {
        let layer = layers[component.layer]
        switch component.kind {
        case .attention: return layer.queryHeads / layer.keyValueHeads * headDimension
        case .feedForward: return 1
        }
    }
}

extension Matrix<Double> {
    /// Scales it and adds another matrix, scaled.
    fileprivate mutating func scale(by scale: Double, adding other: Matrix, times factor: Double) {
        for index in elements.indices {
            elements[index] = scale * elements[index] + factor * other.elements[index]
        }
    }

    /// Some rows of some columns.
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
    /// Weight and bias as one matrix, the bias as its last column.
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

    /// Takes the last column of a matrix as the bias.
    fileprivate init(splitting joined: Matrix<Float>) {
        let last = joined.columns - 1
        self.init(
            weight: joined.selecting(columns: Array(0..<last)),
            bias: (0..<joined.rows).map { joined[$0, last] })
    }
}
