import ConcordCore
import Foundation

/// A report as one HTML file: nothing is fetched, nothing runs; light or dark as the reader's system is.
public struct HTMLPage: Sendable {
    /// A number worth a glance, and what it is.
    package struct Figure: Sendable {
        package var value: String
        package var label: String

        package init(_ value: String, _ label: String) {
            self.value = value
            self.label = label
        }
    }

    package enum Section: Sendable {
        case heading(String)
        case paragraph(String)
        /// Text in its own lines, such as a command to copy.
        case code(String)
        case figures([Figure])
        case table(HTMLTable)
        /// Two a row where there is room.
        case charts([any HTMLChart])
        case images(ImageGrid)
    }

    public var title: String
    /// A line under the title: the date, the recipe, the version.
    package var subtitle: String
    package var sections: [Section]

    package init(title: String, subtitle: String = "", sections: [Section] = []) {
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
        case .images(let grid): return grid.html()
        }
    }
}

/// A table of a report. Columns whose cells are all numbers are set to the right.
package struct HTMLTable: Sendable {
    package var header: [String]
    package var rows: [[String]]
    /// A line under the table; empty for none.
    package var caption: String

    package init(header: [String], rows: [[String]], caption: String = "") {
        self.header = header
        self.rows = rows
        self.caption = caption
    }

    func html() -> String {
        let numeric = header.indices.map { column in
            let cells = rows.compactMap { $0.indices.contains(column) ? $0[column] : nil }.filter { !$0.isEmpty }
            return !cells.isEmpty && cells.allSatisfy { $0.unicodeScalars.first.map(Self.startsNumber) ?? false }
        }
        func row(_ cells: [String], _ element: String) -> String {
            let content = cells.enumerated().map { column, cell in
                let kind = numeric.indices.contains(column) && numeric[column] ? " class=\"number\"" : ""
                return "<\(element)\(kind)>\(HTMLText.escape(cell))</\(element)>"
            }
            return "<tr>\(content.joined())</tr>"
        }
        let note = caption.isEmpty ? "" : "<figcaption>\(HTMLText.escape(caption))</figcaption>"
        return """
            <figure class="card table"><table><thead>\(row(header, "th"))</thead>
            <tbody>
            \(rows.map { row($0, "td") }.joined(separator: "\n"))
            </tbody></table>\(note)</figure>
            """
    }

    private static func startsNumber(_ scalar: Unicode.Scalar) -> Bool {
        ("0"..."9").contains(scalar) || ["-", "+", "−", "–", "."].contains(scalar)
    }
}

/// An image of a report, drawn in the colors of its page.
package protocol HTMLChart: Sendable {
    /// The image as one `<svg>` element.
    func svg() -> String
}

/// Turns text and bytes into what may stand in an HTML or SVG document.
enum HTMLText {
    /// Text that shows as it is, inside an element or a quoted attribute. Control characters become U+FFFD.
    static func escape(_ text: String) -> String {
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": output.append(contentsOf: "&amp;".unicodeScalars)
            case "<": output.append(contentsOf: "&lt;".unicodeScalars)
            case ">": output.append(contentsOf: "&gt;".unicodeScalars)
            case "\"": output.append(contentsOf: "&quot;".unicodeScalars)
            case "'": output.append(contentsOf: "&#39;".unicodeScalars)
            case "\t", "\n": output.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}": output.append("\u{FFFD}")
            default: output.append(scalar)
            }
        }
        return String(output)
    }

    /// A `data:` address that holds the bytes themselves.
    static func address(of bytes: [UInt8], mediaType: String) -> String {
        "data:\(escape(mediaType));base64,\(Data(bytes).base64EncodedString())"
    }
}

/// The style sheet of reports.
enum HTMLStyle {
    /// The number of series colors before they repeat.
    static let seriesCount = 6

    // The curves' colors are told apart by eyes that do not see red and green alike (Okabe & Ito's set, tuned for
    // contrast on each background).
    static let sheet = """
        :root {
          --page: #f6f7f9; --card: #ffffff; --line: #e3e6eb; --text: #1b2230; --muted: #667085;
          --good: #12805c; --good-soft: #e3f5ee; --warn: #9a6700; --warn-soft: #fdf3d8; --bad: #b42318; --bad-soft: #fdeceb;
          --series-0: #2563c9; --series-1: #d9730d; --series-2: #12805c; --series-3: #a3509c; --series-4: #b8860b; --series-5: #3d8ea8;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #10141b; --card: #181e28; --line: #2b3442; --text: #e7eaf0; --muted: #98a2b3;
            --good: #4cc79a; --good-soft: #143529; --warn: #e5b84b; --warn-soft: #3a2f12; --bad: #f28b82; --bad-soft: #3c1c1a;
            --series-0: #6ea3f7; --series-1: #f5a355; --series-2: #4cc79a; --series-3: #d58fd0; --series-4: #e2c044; --series-5: #7cc4dc;
          }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--text);
          font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
        main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 72px; }
        header.page { margin-bottom: 24px; }
        h1 { margin: 0; font-size: 28px; line-height: 1.25; letter-spacing: -0.01em; }
        header.page p { margin: 4px 0 0; color: var(--muted); }
        h2 { margin: 40px 0 12px; font-size: 19px; letter-spacing: -0.005em; }
        p { max-width: 72ch; margin: 0 0 14px; }
        figure { margin: 0; }
        .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
        pre.card { padding: 12px 16px; overflow-x: auto; font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
        .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
        .figures .card { padding: 14px 16px; }
        .figures b { display: block; font-size: 24px; font-weight: 650; line-height: 1.25; font-variant-numeric: tabular-nums; }
        .figures span { color: var(--muted); font-size: 13px; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 16px; }
        .charts + .charts, .charts + .table { margin-top: 16px; }
        svg.chart { display: block; width: 100%; height: auto; }
        svg text { font-family: inherit; fill: var(--muted); font-size: 12px; font-variant-numeric: tabular-nums; }
        svg text.title { fill: var(--text); font-size: 15px; font-weight: 600; }
        svg .grid { stroke: var(--line); }
        svg .base { stroke: var(--muted); opacity: 0.6; }
        svg path { fill: none; stroke-linejoin: round; stroke-linecap: round; }
        svg text.name { fill: var(--text); }
        svg .limit { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 4 3; }
        svg .curve { stroke-width: 2; }
        svg .raw { stroke-width: 1; opacity: 0.35; }
        svg .readout rect { fill: transparent; }
        svg .mark { visibility: hidden; pointer-events: none; }
        svg .readout:hover .mark { visibility: visible; }
        svg line.mark { stroke: var(--muted); stroke-dasharray: 3 3; }
        svg circle.mark { stroke: var(--card); stroke-width: 1.5; }
        svg text.mark { fill: var(--text); font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 5px; }
        .table { overflow-x: auto; padding: 4px 0; }
        table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th, td { padding: 9px 18px; text-align: left; border-top: 1px solid var(--line); }
        thead th { border-top: 0; color: var(--muted); font-size: 13px; font-weight: 600; white-space: nowrap; }
        .number { text-align: right; }
        .table figcaption { padding: 10px 18px 6px; border-top: 1px solid var(--line); color: var(--muted); font-size: 13px; }
        .queries { display: grid; gap: 14px; }
        .query { padding: 14px 16px 12px; }
        .query header { display: flex; align-items: center; gap: 12px; margin-bottom: 10px; }
        .query header img { width: 56px; height: 56px; }
        .query h3 { margin: 0; font-size: 16px; font-weight: 600; }
        .badge { margin-left: auto; padding: 2px 10px; border-radius: 99px; font-size: 12px; font-weight: 600; white-space: nowrap; }
        .first { color: var(--good); background: var(--good-soft); }
        .near { color: var(--warn); background: var(--warn-soft); }
        .far { color: var(--bad); background: var(--bad-soft); }
        .query ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)); gap: 10px; margin: 0; padding: 0; list-style: none; }
        .query li figure { position: relative; padding: 5px; border: 2px solid transparent; border-radius: 9px; }
        .query li.right figure { border-color: var(--good); background: var(--good-soft); }
        .query img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #ffffff; border: 1px solid var(--line); border-radius: 6px; }
        .check { position: absolute; top: -8px; right: -8px; width: 20px; height: 20px; border-radius: 50%; background: var(--good); color: var(--card);
          font-size: 12px; font-weight: 700; line-height: 20px; text-align: center; }
        .query figcaption { margin-top: 5px; font-size: 12px; line-height: 1.35; }
        .query figcaption b { display: block; font-variant-numeric: tabular-nums; }
        .query figcaption span { display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; color: var(--muted); }
        @media print { body { background: #ffffff; } .card { break-inside: avoid; } }
        """
}
