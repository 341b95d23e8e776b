public import Transformers

/// Which levels of a component a profile times; between them latency is interpolated.
public enum LevelGrid {
    /// Feed-forward widths are timed at multiples of this, which kernels like.
    public static let granularity = 32

    /// Each feed-forward width is this fraction of the one before, ahead of rounding.
    public static let ratio = 0.9

    /// The levels to time, descending; 0 takes no time and is not among them.
    ///
    /// Attention: every unit count. Feed-forward: the full width, and `0.9^i` of it down to 1 %,
    /// rounded to multiples of 32.
    ///
    /// - Parameters:
    ///   - kind: The kind of component.
    ///   - shape: A model; where its layers differ, the largest counts.
    /// - Returns: The levels, or nothing when no layer has such a component.
    public static func levels(of kind: ComponentKind, in shape: ModelShape) -> [Int] {
        let full = shape.greatestLevel(of: kind)
        switch kind {
        case .attention: return Array(stride(from: full, to: 0, by: -1))
        case .feedForward: return widths(upTo: full)
        }
    }

    private static func widths(upTo full: Int) -> [Int] {
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
    /// The most units that any layer has of one kind of component.
    public func greatestLevel(of kind: ComponentKind) -> Int {
        Plan(keepingAllOf: self).variants(of: kind).map(\.units).max() ?? 0
    }
}
