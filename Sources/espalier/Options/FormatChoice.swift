import Console
import Tensors

/// An argument of `--formats`.
enum FormatChoice: RawRepresentable, CaseIterable {
    /// Only the format of `--precision`.
    case same
    /// A format in addition to that of `--precision`.
    case format(Precision)

    static let allCases = [FormatChoice.same] + Precision.allCases.map { .format($0) }

    var rawValue: String {
        switch self {
        case .same: "same"
        case .format(let precision): precision.rawValue
        }
    }

    init?(rawValue: String) {
        guard let choice = Self.allCases.first(where: { $0.rawValue == rawValue }) else {
            return nil
        }
        self = choice
    }

    /// Reads `--formats`.
    ///
    /// - Parameter arguments: The command-line arguments.
    /// - Returns: The formats in addition to that of `--precision`; nil if the option is not given.
    /// - Throws: `UsageError`.
    static func option(_ arguments: inout Arguments) throws(UsageError) -> [Precision]? {
        let choices = try arguments.options(
            "--formats", ValueKind<FormatChoice>.choice(),
            help: "A format that parts of the model may have in addition to that of --precision, "
                + "or same for no other format; by default all formats with fewer bits that are "
                + "faster on this CPU.")
        guard !choices.isEmpty else { return nil }
        return choices.compactMap { choice in
            if case .format(let precision) = choice { precision } else { nil }
        }
    }
}
