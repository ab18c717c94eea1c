/// The SVG elements that charts are made of.
enum ChartElement {
    /// The colour of a series, the first again behind the last.
    static func color(_ series: Int) -> String { "var(--series-\(series % HTMLStyle.seriesCount))" }

    static func text(_ value: Double) -> String { ChartCurve.coordinate(value) }

    /// The beginning of the picture, with its title.
    static func open(title: String, width: Double, height: Double) -> String {
        """
        <svg class="chart" viewBox="0 0 \(text(width)) \(text(height))" role="img" \
        aria-label="\(HTMLText.escape(title))" xmlns="http://www.w3.org/2000/svg">
        """ + "\n" + label(title, x: 16, y: 26, kind: "title")
    }

    static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, kind: String) -> String {
        "<line class=\"\(kind)\" x1=\"\(text(x1))\" y1=\"\(text(y1))\" x2=\"\(text(x2))\" y2=\"\(text(y2))\"/>"
    }

    static func label(_ content: String, x: Double, y: Double, kind: String, anchor: String = "start") -> String {
        "<text class=\"\(kind)\" x=\"\(text(x))\" y=\"\(text(y))\" text-anchor=\"\(anchor)\">"
            + "\(HTMLText.escape(content))</text>"
    }

    /// A bar whose note shows under the pointer.
    static func bar(
        left: Double, top: Double, right: Double, bottom: Double, color: String, note: String
    ) -> String {
        "<rect class=\"bar\" x=\"\(text(left))\" y=\"\(text(top))\" width=\"\(text(right - left))\" "
            + "height=\"\(text(bottom - top))\" style=\"fill:\(color)\"><title>\(HTMLText.escape(note))</title></rect>"
    }

    /// Names in their colours, in one line that ends at `x`.
    static func legend(_ entries: [(name: String, color: String)], x: Double) -> String {
        let names = entries.enumerated().map { index, entry in
            "<tspan dx=\"\(index == 0 ? 0 : 14)\" style=\"fill:\(entry.color)\">●</tspan> "
                + "<tspan>\(HTMLText.escape(entry.name))</tspan>"
        }
        return "<text class=\"tick\" x=\"\(text(x))\" y=\"48\" text-anchor=\"end\">\(names.joined())</text>"
    }
}
