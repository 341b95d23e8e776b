internal import Pruning
public import Tensors
public import Transformers

/// The sensitivity of a decoder to leaving out neurons, inputs or heads of one component.
///
/// It is the KL divergence from the dense model as a function of the share of the component's
/// squared contributions that is lost.
public struct ContextualSensitivity: Sendable {
    private let neurons: Sensitivity
    private let inputs: Sensitivity
    private let heads: Sensitivity

    /// Measures every component separately at the densities ``DensitySearch/probes``.
    ///
    /// All methods for neurons share one measurement, because the divergence depends on the lost
    /// contributions and not on the method. The measurement uses the 4-bit method if it was
    /// calibrated.
    ///
    /// - Parameters:
    ///   - calibration: The effect of densities on each component.
    ///   - model: The decoder.
    ///   - source: The weights that it was packed from.
    ///   - windows: Some of the calibration's windows.
    ///   - choices: The calibrated methods.
    ///   - engine: The engine to run on.
    ///   - progress: Called with the number of finished layers; may throw an error to stop.
    /// - Throws: Errors of reading weights, and errors of `progress`.
    public init(
        _ calibration: ContextualCalibration, of model: Model, source: some WeightSource,
        windows: [[Int32]], choices: [NeuronChoice], engine: Engine,
        progress: (Int) throws -> Void
    ) throws {
        let batch = TokenBatch(windows)
        let divergence = ModelDivergence(from: model, on: batch, engine: engine)
        var pass = ForwardPass(model, on: engine)
        var streams = [pass.embedded(batch)]
        var points = [[Component: [Sensitivity.Point]]](repeating: [:], count: 3)
        let methods: [(kind: ComponentKind, choice: NeuronChoice?)] = [
            (.feedForward, choices.first { $0 == .coarse } ?? choices.first { !$0.looksAhead }),
            (.attention, choices.first { $0 == .computed }),
            (.attention, choices.first { $0.rank != nil && !$0.looksAhead }),
        ]
        for index in model.shape.layers.indices {
            for (place, method) in methods.enumerated() {
                guard let choice = method.choice else { continue }
                let component = Component(layer: index, kind: method.kind)
                // The next plan reuses the packed weights of this plan.
                var changed = model
                for density in DensitySearch.probes {
                    let level = DensityLevel(choice, density: density)
                    guard let totals = calibration.totals(level, of: component) else { continue }
                    let alone = calibration.plan(screensHead: false) {
                        $0 == component ? level : nil
                    }
                    changed = try changed.applying(alone, of: source)
                    let found = divergence.of(changed, from: index, entering: streams[0])
                    guard found.isFinite else {
                        throw SurgeonError.divergenceNotFinite(layer: index)
                    }
                    points[place][component, default: []].append(
                        Sensitivity.Point(prior: totals.lost, divergence: found))
                }
            }
            _ = ContextualCalibration.walk(index, &pass, [batch], &streams)
            try progress(index + 1)
        }
        (neurons, inputs, heads) = (
            Sensitivity(points[0]), Sensitivity(points[1]), Sensitivity(points[2])
        )
    }

    /// Returns the divergence if a share of a component's squared contributions is lost.
    func divergence(of component: Component, _ choice: NeuronChoice, losing lost: Double) -> Double
    {
        let known =
            component.kind == .feedForward ? neurons : choice == .computed ? inputs : heads
        return known.divergence(of: component, prior: lost)
    }
}
