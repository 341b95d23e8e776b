public import Reporting

/// A small plot of y against x in braille dots, for a terminal.
public struct TerminalPlot {
    /// The points, in any order.
    ///
    /// Points that are not finite are ignored.
    public var points: [(x: Double, y: Double)]
    /// The label of the horizontal axis.
    public var xLabel: String
    /// The label of the vertical axis.
    public var yLabel: String
    /// Returns the text of a value of the vertical axis.
    public var formatY: (Double) -> String

    /// Creates a plot.
    public init(
        _ points: [(x: Double, y: Double)], xLabel: String, yLabel: String,
        formatY: @escaping (Double) -> String = { Figures.significant($0, digits: 3) }
    ) {
        self.points = points
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.formatY = formatY
    }

    /// Returns the plot as text.
    ///
    /// If all values are positive, the vertical axis starts at 0, so that heights can be compared.
    ///
    /// - Parameters:
    ///   - width: The number of columns of the plot with its labels.
    ///   - height: The number of lines of the plotting area.
    /// - Returns: The lines of the plot, or a remark if nothing can be drawn.
    public func rendered(width: Int = 60, height: Int = 12) -> String {
        let points = points.filter { $0.x.isFinite && $0.y.isFinite }.sorted { $0.x < $1.x }
        guard let first = points.first, let last = points.last else { return "(no points)\n" }
        let lowest = min(0, points.map(\.y).min() ?? 0)
        let maximum = points.map(\.y).max() ?? 1
        let highest = maximum > lowest ? maximum : lowest + 1
        let lines = max(2, height)
        let labels = (0..<lines).map { line -> String in
            let isLabelled = line == 0 || line == lines - 1 || line == (lines - 1) / 2
            let fraction = Double(lines - 1 - line) / Double(lines - 1)
            return isLabelled ? formatY(lowest + (highest - lowest) * fraction) : ""
        }
        let margin = labels.map(TextLayout.width).max() ?? 0
        var canvas = BrailleCanvas(columns: max(4, width - margin - 2), lines: lines)

        let (xSpan, ySpan) = (last.x - first.x, highest - lowest)
        let dots = points.map { point in
            (
                x: xSpan > 0 ? scaled((point.x - first.x) / xSpan, canvas.width) : canvas.width / 2,
                y: scaled((highest - point.y) / ySpan, canvas.height)
            )
        }
        canvas.set(dots[0].x, dots[0].y)
        for (from, to) in zip(dots, dots.dropFirst()) { canvas.line(from, to) }

        var text = yLabel.isEmpty ? "" : yLabel + "\n"
        for (label, row) in zip(labels, canvas.rows) {
            text +=
                TextLayout.rightAligned(label, to: margin)
                + (label.isEmpty ? " │" : " ┤") + row + "\n"
        }
        let indent = String(repeating: " ", count: margin + 1)
        text += indent + "└" + String(repeating: "─", count: canvas.columns) + "\n"
        let low = Figures.significant(first.x, digits: 4)
        let high = Figures.significant(last.x, digits: 4)
        let room = canvas.columns + 1 - low.count - high.count
        let label = TextLayout.truncated(xLabel, to: max(0, room - 2))
        let before = max(1, (room - TextLayout.width(of: label)) / 2)
        let middle = String(repeating: " ", count: before) + label
        return text + indent + low + TextLayout.padded(middle, to: room) + high + "\n"
    }

    /// Returns the index of the dot for a fraction; 0 if the fraction is NaN after an overflow.
    private func scaled(_ fraction: Double, _ count: Int) -> Int {
        guard fraction.isFinite else { return 0 }
        return min(count - 1, max(0, Int((fraction * Double(count - 1)).rounded())))
    }
}

/// A grid of dots, 2 × 4 to a character, in the braille block of Unicode.
struct BrailleCanvas {
    let columns: Int
    private var cells: [[UInt32]]

    /// The number of dots in a row.
    var width: Int { columns * 2 }
    /// The number of dots in a column.
    var height: Int { cells.count * 4 }

    /// Creates an empty canvas.
    init(columns: Int, lines: Int) {
        self.columns = columns
        cells = Array(repeating: Array(repeating: 0, count: columns), count: lines)
    }

    /// Sets one dot; x counts from the left, y from the top.
    mutating func set(_ x: Int, _ y: Int) {
        let bits: [[UInt32]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
        cells[y / 4][x / 2] |= bits[y % 4][x % 2]
    }

    /// Sets the dots of a straight line.
    mutating func line(_ from: (x: Int, y: Int), _ to: (x: Int, y: Int)) {
        let steps = max(abs(to.x - from.x), abs(to.y - from.y), 1)
        for step in 0...steps {
            let fraction = Double(step) / Double(steps)
            set(
                from.x + Int((Double(to.x - from.x) * fraction).rounded()),
                from.y + Int((Double(to.y - from.y) * fraction).rounded()))
        }
    }

    /// The lines of text; empty cells are spaces.
    var rows: [String] {
        cells.map { row in
            row.reduce(into: "") { text, bits in
                text.unicodeScalars.append(Unicode.Scalar(bits == 0 ? 0x20 : 0x2800 + bits) ?? " ")
            }
        }
    }
}
