import ConcordCore

/// A report as one HTML file: nothing is fetched, nothing runs; light or dark as the reader's system is.
public struct HTMLPage: Sendable {
    /// A number worth a glance, and what it is.
    public struct Figure: Sendable {
        public var value: String
        public var label: String

        public init(_ value: String, _ label: String) {
            self.value = value
            self.label = label
        }
    }

    public enum Section: Sendable {
        case heading(String)
        case paragraph(String)
        /// Text in its own lines, such as a command to copy.
        case code(String)
        case figures([Figure])
        case table(HTMLTable)
        /// Two a row where there is room.
        case charts([any HTMLChart])
        case pictures(PictureGrid)
    }

    public var title: String
    /// A line under the title: the date, the recipe, the version.
    public var subtitle: String
    public var sections: [Section]

    public init(title: String, subtitle: String = "", sections: [Section] = []) {
        self.title = title
        self.subtitle = subtitle
        self.sections = sections
    }

    /// The whole document.
    public func html() -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>\(HTMLText.escape(title))</title>
        <style>
        \(HTMLStyle.sheet)
        </style>
        </head>
        <body>
        <main>
        <header class="page"><h1>\(HTMLText.escape(title))</h1><p>\(HTMLText.escape(subtitle))</p></header>
        \(sections.map(Self.html).joined(separator: "\n"))
        </main>
        </body>
        </html>

        """
    }

    /// Writes the document to a file, atomically. Throws `.fileSystem`.
    public func write(to path: String) throws { try Files.replace(path, with: html()) }

    private static func html(_ section: Section) -> String {
        switch section {
        case .heading(let text): return "<h2>\(HTMLText.escape(text))</h2>"
        case .paragraph(let text): return "<p>\(HTMLText.escape(text))</p>"
        case .code(let text): return "<pre class=\"card\">\(HTMLText.escape(text))</pre>"
        case .figures(let figures):
            let cards = figures.map {
                "<div class=\"card\"><b>\(HTMLText.escape($0.value))</b><span>\(HTMLText.escape($0.label))</span></div>"
            }
            return "<div class=\"figures\">\(cards.joined())</div>"
        case .table(let table): return table.html()
        case .charts(let charts):
            let cards = charts.map { "<figure class=\"card\">\($0.svg())</figure>" }
            return "<div class=\"charts\">\n\(cards.joined(separator: "\n"))\n</div>"
        case .pictures(let grid): return grid.html()
        }
    }
}
