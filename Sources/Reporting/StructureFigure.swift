/// Draws what remains of every layer: a cell for each head, and a bar for the feed-forward width.
struct StructureFigure {
    let dense: [LayerSizes]
    let result: TargetResult
    let description: String

    private let rowHeight = 13.0
    private let left = 28.0
    private let headRoom = 140.0
    private let barEnd = 350.0

    var markup: Markup {
        let rows = dense.indices.map(row)
        let barStart = barStart
        return PlotFrame.picture(
            title: "Layers of the \(Figures.target(result.target)) model",
            description: description, height: 30 + rowHeight * Double(max(1, dense.count)),
            """
            <text class="axis-title" x="\(left)" y="12">heads</text>
            <text class="axis-title" x="\(barStart)" y="12">feed-forward</text>
            <text class="axis-title" x="398" y="12" text-anchor="end">neurons</text>
            \(rows)
            """)
    }

    /// The width of one head's cell with its gap, the same in all layers.
    private var cell: Double {
        min(12, headRoom / Double(max(1, dense.map(\.queryHeads).max() ?? 1)))
    }

    private var barStart: Double {
        left + max(40, cell * Double(dense.map(\.queryHeads).max() ?? 0)) + 14
    }

    private func row(_ index: Int) -> Markup {
        let full = dense[index]
        let none = LayerSizes(queryHeads: 0, keyValueHeads: 0, feedForward: 0)
        let kept = index < result.layers.count ? result.layers[index] : none
        let top = 20 + rowHeight * Double(index)
        let widest = Double(max(1, dense.map(\.feedForward).max() ?? 1))
        let scale = (barEnd - barStart) / widest
        // A cell that is narrower than 6 SVG units has no gap, which would take too much of its width.
        let gap = cell >= 6 ? 1.5 : 0
        let heads = (0..<full.queryHeads).map { head -> Markup in
            """
            <rect class="\(isKept(head, full, kept) ? "kept" : "gone")" \
            x="\(left + cell * Double(head) + 0.5)" y="\(top)" width="\(max(0.4, cell - gap))" \
            height="9"/>
            """
        }
        return """
            <text class="tick" x="\(left - 8)" y="\(top + 8)" text-anchor="end">\(index + 1)</text>
            \(heads)
            <rect class="gone" x="\(barStart)" y="\(top)" \
            width="\(Double(full.feedForward) * scale)" height="9"/>
            <rect class="kept" x="\(barStart)" y="\(top)" \
            width="\(Double(kept.feedForward) * scale)" height="9"/>
            <text class="tick" x="398" y="\(top + 8)" \
            text-anchor="end">\(Figures.count(kept.feedForward))</text>
            """
    }

    /// Returns whether a head is drawn as kept.
    ///
    /// If the kept groups are unknown, the first heads are drawn as kept.
    private func isKept(_ head: Int, _ full: LayerSizes, _ kept: LayerSizes) -> Bool {
        guard let groups = kept.keptGroups, full.keyValueHeads > 0 else {
            return head < kept.queryHeads
        }
        return groups.contains(head / max(1, full.queryHeads / full.keyValueHeads))
    }
}
