/// A table as plain text.
///
/// Columns of numbers are aligned right, all other columns left.
public struct Table {
    private let titles: [String]
    private var rows: [[String]] = []

    /// Creates a table from its column titles.
    public init(_ titles: String...) {
        self.titles = titles
    }

    /// Creates a table from a list of column titles.
    public init(titles: [String]) {
        self.titles = titles
    }

    /// Adds a row.
    ///
    /// Absent cells are empty, extra cells are ignored.
    public mutating func add(_ cells: String...) { add(row: cells) }

    /// Adds a row from a list.
    ///
    /// Absent cells are empty, extra cells are ignored.
    public mutating func add(row cells: [String]) {
        rows.append(
            titles.indices.map { $0 < cells.count ? TerminalText.printable(cells[$0]) : "" })
    }

    /// Returns the lines of the table, no wider than a limit.
    ///
    /// If the cells need more width, the widest column of text is shortened.
    public func rendered(width limit: Int = 80) -> String {
        guard !titles.isEmpty else { return "" }
        let alignRight = titles.indices.map { column in
            rows.contains { !$0[column].isEmpty }
                && rows.allSatisfy { Self.isNumber($0[column]) }
        }
        var widths = titles.indices.map { column in
            ([titles[column]] + rows.map { $0[column] }).map(TextLayout.width).max() ?? 0
        }
        let gaps = 2 * (titles.count - 1)
        while widths.reduce(gaps, +) > limit {
            let text = widths.indices.filter { !alignRight[$0] && widths[$0] > 4 }
            guard
                let widest = (text.isEmpty ? Array(widths.indices) : text)
                    .max(by: { widths[$0] < widths[$1] }), widths[widest] > 1
            else { break }
            widths[widest] -= 1
        }
        let rule = widths.map { String(repeating: "─", count: $0) }
        return ([titles, rule] + rows).map { cells in
            var line = cells.indices.map { column in
                let cell = TextLayout.truncated(cells[column], to: widths[column])
                return alignRight[column]
                    ? TextLayout.rightAligned(cell, to: widths[column])
                    : TextLayout.padded(cell, to: widths[column])
            }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    /// Returns whether a cell is empty, a dash, or starts like a number.
    private static func isNumber(_ cell: String) -> Bool {
        guard !cell.isEmpty, cell != "–", cell != "-" else { return true }
        let digits = cell.drop { "+-−±<>≤≥~".contains($0) }
        return digits.first?.isNumber ?? false
    }
}
