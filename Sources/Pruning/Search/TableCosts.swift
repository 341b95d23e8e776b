public import Profiling
public import Tensors
public import Transformers

/// The costs that a profile has measured.
public struct TableCosts: CostModel {
    private let table: LatencyTable
    private let formats: [Precision]

    /// Uses a profile's latencies.
    ///
    /// - Parameters:
    ///   - table: The profile.
    ///   - formats: The profiled formats that components may have besides the environment's.
    public init(_ table: LatencyTable, formats: [Precision] = []) {
        self.table = table
        self.formats = formats
    }

    /// Seconds that no plan changes.
    public var base: Double { table.base.seconds }

    /// The width of the profiled model's residual stream.
    public var hiddenSize: Int { table.shape.hiddenSize }

    /// Returns the predicted seconds of a variant of a component.
    public func seconds(of component: Component, as variant: Variant) -> Double {
        table.seconds(of: component.kind, as: variant)
    }

    /// Returns the measured variants that are faster than every larger variant.
    public func variants(of component: Component) -> [Variant] {
        table.usefulVariants(of: component.kind)
            + formats.flatMap { format in
                table.usefulVariants(of: component.kind, in: format)
                    .filter { fillsGroups(component, $0) }
            }
    }

    /// Whether the inputs of a component's matrices fill the groups of the variant's format.
    private func fillsGroups(_ component: Component, _ variant: Variant) -> Bool {
        guard variant.format == .int4 else { return true }
        let inputs = [
            table.shape.hiddenSize, variant.units * table.shape.unitSize(of: component),
        ]
        return inputs.allSatisfy { $0 % Int4Matrix.group == 0 }
    }

    /// The formats that the output head may have; none for encoders, which have no output head.
    public var headFormats: [Precision] {
        table.headFormats.filter { format in
            formats.contains(format)
                && (format != .int4 || table.shape.hiddenSize % Int4Matrix.group == 0)
        }
    }

    /// The seconds that the output head's format adds to the base.
    public func seconds(ofHeadIn format: Precision?) -> Double {
        table.seconds(ofHeadIn: format)
    }
}
