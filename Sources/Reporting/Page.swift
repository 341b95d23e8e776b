/// What every page has around its sections: no script, no other file, valid XML as well.
struct Page {
    /// What the browser shows of it in a tab.
    let title: String
    /// What kind of page it is, above the heading.
    let kind: String
    let report: PruneReport
    let sections: [Markup]
    let footer: String

    var markup: Markup {
        """
        <!DOCTYPE html>
        <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <meta name="generator" content="Espalier \(report.version)"/>
        <title>\(title)</title>
        <style>
        \(Stylesheet.text)
        </style>
        </head>
        <body>
        <main>
        <header>
        <p class="eyebrow">Espalier · \(kind)</p>
        <h1>\(report.model.name)</h1>
        <p class="soft">\(Narrative(report: report).environment)</p>
        </header>
        \(sections)
        <footer>\(footer)</footer>
        </main>
        </body>
        </html>

        """
    }
}
