/// A table whose first column has the headings of its rows.
///
/// On a narrow screen it scrolls sideways.
struct HTMLTable {
    let caption: String
    let columns: [String]
    /// Row headings with their cells, one cell for each column except the first.
    let rows: [(heading: String, cells: [String])]
    /// Rows to emphasise, by index.
    var strong: Set<Int> = []

    var markup: Markup {
        let head = columns.map { "<th scope=\"col\">\($0)</th>" as Markup }
        let body = rows.enumerated().map { index, row -> Markup in
            let cells = row.cells.map { "<td>\($0)</td>" as Markup }
            let strength: Markup = strong.contains(index) ? " class=\"own\"" : ""
            return "<tr\(strength)><th scope=\"row\">\(row.heading)</th>\n\(cells)</tr>"
        }
        return """
            <div class="scroll" role="region" aria-label="\(caption)" tabindex="0">
            <table>
            <caption><span>\(caption)</span></caption>
            <thead><tr>\(head)</tr></thead>
            <tbody>
            \(body)
            </tbody>
            </table>
            </div>
            """
    }

    /// Returns the table hidden below a summary; a click on the summary shows the table.
    func folded(_ summary: String) -> Markup {
        "<details><summary>\(summary)</summary>\n\(markup)\n</details>"
    }
}
