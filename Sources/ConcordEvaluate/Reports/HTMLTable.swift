/// A table of a report. Columns whose cells are all numbers are set to the right.
public struct HTMLTable: Sendable {
    public var header: [String]
    public var rows: [[String]]
    /// A line under the table; empty for none.
    public var caption: String

    public init(header: [String], rows: [[String]], caption: String = "") {
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
