/// The frame of every page.
///
/// It has no script, needs no other file, and is valid XML.
struct Page {
    /// The title in the browser's tab.
    let title: String
    /// The kind of page, above the heading.
    let kind: String
    /// The name of the model.
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
