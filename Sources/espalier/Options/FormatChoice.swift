import Console
import Tensors

/// An argument of `--formats`.
enum FormatChoice: RawRepresentable, CaseIterable {
    /// Only the format of `--precision`.
    case same
    /// Every format.
    case all
    /// One format.
    case format(Precision)

    static let allCases = [FormatChoice.same, .all] + Precision.allCases.map { .format($0) }

    var rawValue: String {
        switch self {
        case .same: "same"
        case .all: "all"
        case .format(let precision): precision.rawValue
        }
    }

    init?(rawValue: String) {
        guard let choice = Self.allCases.first(where: { $0.rawValue == rawValue }) else {
            return nil
        }
        self = choice
    }

    /// Reads `--formats`; by default every format.
    ///
    /// - Parameter arguments: The command-line arguments.
    /// - Returns: The formats in addition to that of `--precision`.
    /// - Throws: `UsageError`.
    static func option(_ arguments: inout Arguments) throws(UsageError) -> [Precision] {
        let choices = try arguments.options(
            "--formats", ValueKind<FormatChoice>.choice(),
            help: "A format that parts of the model may have, if it is faster than --precision "
                + "on this CPU; same for none; by default all.")
        return (choices.isEmpty ? [.all] : choices).flatMap { choice -> [Precision] in
            switch choice {
            case .same: []
            case .all: Precision.allCases
            case .format(let precision): [precision]
            }
        }
    }
}
