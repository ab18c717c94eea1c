import ConcordCore

/// Queries of a report, each with what the model found for it, best first.
package struct ImageGrid: Sendable {
    /// A small image, as the bytes of its file.
    package struct Thumbnail: Sendable {
        package var bytes: [UInt8]
        package var mediaType: String

        package init(_ bytes: [UInt8], mediaType: String = "image/png") {
            self.bytes = bytes
            self.mediaType = mediaType
        }

        func html(description: String) -> String {
            let address = HTMLText.address(of: bytes, mediaType: mediaType)
            return "<img src=\"\(address)\" alt=\"\(HTMLText.escape(description))\">"
        }
    }

    /// One thing found: an image, a caption, or both.
    package struct Result: Sendable {
        package var image: Thumbnail?
        package var caption: String
        /// The cosine of the two embeddings.
        package var score: Double
        /// Whether it is what was looked for.
        package var isRight: Bool

        package init(image: Thumbnail?, caption: String, score: Double, isRight: Bool) {
            self.image = image
            self.caption = caption
            self.score = score
            self.isRight = isRight
        }
    }

    /// One query: a text, an image, or both.
    package struct Query: Sendable {
        package var caption: String
        package var image: Thumbnail?
        package var results: [Result]
        /// The rank of the right one, from 1; nil when there is none.
        package var rank: Int?

        package init(caption: String, image: Thumbnail? = nil, results: [Result], rank: Int? = nil) {
            self.caption = caption
            self.image = image
            self.results = results
            self.rank = rank
        }
    }

    package var queries: [Query]

    package init(_ queries: [Query]) { self.queries = queries }

    func html() -> String {
        "<div class=\"queries\">\n\(queries.map(Self.html).joined(separator: "\n"))\n</div>"
    }

    private static func html(_ query: Query) -> String {
        let badge = query.rank.map { rank in
            let kind = rank == 1 ? "first" : rank <= 10 ? "near" : "far"
            return "<span class=\"badge \(kind)\">\(rank == 1 ? "found first" : "found at rank \(rank)")</span>"
        }
        let image = query.image?.html(description: query.caption) ?? ""
        return """
            <article class="card query"><header>\(image)<h3>\(HTMLText.escape(query.caption))</h3>\(badge ?? "")</header>
            <ol>
            \(query.results.map(html).joined(separator: "\n"))
            </ol></article>
            """
    }

    private static func html(_ result: Result) -> String {
        let image = result.image?.html(description: result.caption) ?? ""
        let mark = result.isRight ? "<span class=\"check\" title=\"the correct match\">✓</span>" : ""
        let caption = HTMLText.escape(result.caption)
        return """
            <li\(result.isRight ? " class=\"right\"" : "")><figure>\(image)\(mark)\
            <figcaption><b>\(NumberText.fixed(result.score, decimals: 3))</b>\
            <span title="\(caption)">\(caption)</span></figcaption></figure></li>
            """
    }
}
