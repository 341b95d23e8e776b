/// The frame of a plot: grid lines, tick labels and axis titles.
///
/// Every plot is 400 units wide. So its texts are as large as the page's notes on a phone.
struct PlotFrame {
    static let width = 400.0

    let height: Double
    let x: Axis
    let y: Axis
    let xTitle: String
    let yTitle: String

    /// The left, right, top and bottom edge of the plotting area.
    static let (left, right, top, bottom) = (46.0, 388.0, 26.0, 40.0)

    /// Lines and texts behind the data.
    var markup: Markup {
        let base = height - Self.bottom
        let rows = y.ticks.map { tick -> Markup in
            let at = y.position(tick)
            return """
                <line class="grid" x1="\(Self.left)" x2="\(Self.right)" y1="\(at)" y2="\(at)"/>
                <text class="tick" x="\(Self.left - 6)" y="\(at + 3.5)" \
                text-anchor="end">\(y.text(tick))</text>
                """
        }
        let columns = x.ticks.map { tick -> Markup in
            // The last text must not extend beyond the picture.
            let text = x.text(tick)
            let at = min(x.position(tick), Self.width - 1 - 3.3 * Double(text.count))
            return """
                <text class="tick" x="\(at)" y="\(base + 15)" text-anchor="middle">\(text)</text>
                """
        }
        return """
            \(rows)
            \(columns)
            <line class="axis" x1="\(Self.left)" x2="\(Self.right)" y1="\(base)" y2="\(base)"/>
            <text class="axis-title" x="\(Self.left - 40)" y="12">\(yTitle)</text>
            <text class="axis-title" x="\(Self.right)" y="\(height - 6)" \
            text-anchor="end">\(xTitle)</text>
            """
    }

    /// A picture with a title and a description for readers who cannot see it.
    static func picture(
        title: String, description: String, width: Double = width, height: Double,
        _ content: Markup
    ) -> Markup {
        """
        <svg class="plot" viewBox="0 0 \(width) \(height)" role="img" \
        aria-label="\(title). \(description)">
        <title>\(title)</title>
        <desc>\(description)</desc>
        \(content)
        </svg>
        """
    }
}
