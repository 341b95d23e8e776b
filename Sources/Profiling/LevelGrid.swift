public import Tensors
public import Transformers

/// The levels of a component that a profile measures.
///
/// Times between the levels are interpolated.
public enum LevelGrid {
    /// Feed-forward widths are timed at multiples of this number.
    ///
    /// A panel of packed weights has 32 outputs. If the processor multiplies in tile registers, the
    /// width is also a whole number of their steps: 32 inputs in 16 bits, 64 inputs in 8 bits.
    ///
    /// - Parameter formats: The formats that are profiled, which all have the same levels.
    /// - Returns: 32, or 64.
    public static func granularity(in formats: [Precision]) -> Int {
        formats.reduce(32) { max($0, $1.tileInputs ?? 0) }
    }

    /// The ratio of a feed-forward width to the previous width, before rounding.
    public static let ratio = 0.9

    /// The levels to time, descending, without 0.
    ///
    /// Attention: every number of units. Feed-forward: the full width, then the full width times
    /// 0.9, 0.9², 0.9³ and so on, down to 1% of the full width. All widths after the first are
    /// rounded to multiples of the granularity, and are at least that.
    ///
    /// - Parameters:
    ///   - kind: The kind of component.
    ///   - shape: The sizes of a model. If its layers differ, the largest layer is used.
    ///   - granularity: The number of which feed-forward widths are multiples.
    /// - Returns: The levels; empty if no layer has such a component.
    public static func levels(
        of kind: ComponentKind, in shape: ModelShape, granularity: Int = 32
    ) -> [Int] {
        let full = shape.maximumLevel(of: kind)
        switch kind {
        case .attention: return Array(stride(from: full, to: 0, by: -1))
        case .feedForward: return widths(upTo: full, granularity)
        }
    }

    private static func widths(upTo full: Int, _ granularity: Int) -> [Int] {
        var levels = full > 0 ? [full] : []
        var width = Double(full) * ratio
        while width >= 0.01 * Double(full), let last = levels.last, last > granularity {
            let multiple = Int((width / Double(granularity)).rounded()) * granularity
            let level = max(granularity, multiple)
            if level < last { levels.append(level) }
            width *= ratio
        }
        return levels
    }
}

extension ModelShape {
    /// The maximum number of units of one kind of component in a layer.
    public func maximumLevel(of kind: ComponentKind) -> Int {
        Plan(keepingAllOf: self).variants(of: kind).map(\.units).max() ?? 0
    }
}
