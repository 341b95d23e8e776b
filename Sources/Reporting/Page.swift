/// What every page has around its sections: no script, no other file, valid XML as well.
struct Page {
    /// What the browser shows of it in a tab.
    let title: String
    /// What kind of page it is, above the heading.
    let kind: String
    /// What the model is called.
    let heading: String
    let environment: EnvironmentDescription
    /// The version of the program.
    let version: String
    let sections: [Markup]
    let footer: String

    var markup: Markup {
        """
        <!DOCTYPE html>
        <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <meta name="generator" content="Espalier \(version)"/>
        <title>\(title)</title>
        <style>
        \(Stylesheet.text)
        </style>
        </head>
        <body>
        <main>
        <header>
        <p class="eyebrow">Espalier · \(kind)</p>
        <h1>\(heading)</h1>
        <p class="soft">\(environment.summary)</p>
        </header>
        \(sections)
        <footer>\(footer)</footer>
        </main>
        </body>
        </html>

        """
    }
}
