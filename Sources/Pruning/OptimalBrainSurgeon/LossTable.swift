public import Transformers

/// The errors of one component's output when units are removed.
public struct ComponentLosses: Codable, Sendable, Equatable {
    /// The order in which units are removed, and the squared output error of every level.
    public let removal: RemovalOrder

    /// The mean squared norm of the dense component's output.
    public let norm: Double

    /// Creates the losses of a component.
    public init(removal: RemovalOrder, norm: Double) {
        self.removal = removal
        self.norm = norm
    }

    /// The number of units of the dense component.
    public var units: Int { removal.order.count }

    /// The units that remain at a level, ascending.
    public func kept(_ level: Int) -> [Int] {
        removal.kept(level)
    }

    /// The error of a level as a fraction of the dense output; 1 for a removed branch.
    ///
    /// - Precondition: `0 <= level <= units`.
    public func prior(_ level: Int) -> Double {
        guard norm > 0 else { return 0 }
        return level == 0 ? 1 : removal.errors[level] / norm
    }
}

/// The losses of every component, which are the result of calibration.
public struct LossTable: Sendable, Equatable {
    /// The losses by component.
    public var components: [Component: ComponentLosses]

    /// Creates a table.
    public init(_ components: [Component: ComponentLosses] = [:]) {
        self.components = components
    }

    /// The prior of a component at a level; 0 for a component that the table does not have.
    public func prior(of component: Component, keeping level: Int) -> Double {
        components[component]?.prior(level) ?? 0
    }
}

/// A table is written as a list in the order of the forward pass, so equal tables give equal files.
extension LossTable: Codable {
    private struct Entry: Codable {
        let component: Component
        let losses: ComponentLosses
    }

    /// Reads a table.
    ///
    /// - Parameter decoder: The decoder to read from.
    /// - Throws: `DecodingError` if an entry is repeated or inconsistent.
    public init(from decoder: any Decoder) throws {
        let entries = try [Entry](from: decoder)
        components = [:]
        for entry in entries {
            guard components.updateValue(entry.losses, forKey: entry.component) == nil else {
                throw DecodingError.dataCorrupted(
                    .init(
                        codingPath: decoder.codingPath,
                        debugDescription: "\(entry.component) is in the loss table twice"))
            }
        }
    }

    /// Writes a table.
    ///
    /// - Parameter encoder: The encoder to write to.
    /// - Throws: The errors of the encoder.
    public func encode(to encoder: any Encoder) throws {
        try components.sorted { $0.key < $1.key }
            .map { Entry(component: $0.key, losses: $0.value) }
            .encode(to: encoder)
    }
}
