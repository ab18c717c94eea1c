import ConcordCore
import ConcordData
import ConcordMedia

extension PictureSearch {
    /// A page with the pictures that were found for a query.
    public func page(_ query: String, _ results: [Result]) throws -> HTMLPage {
        let found = try results.map {
            PictureGrid.Result(picture: try thumbnail($0), caption: $0.caption, score: $0.score, isRight: false)
        }
        return HTMLPage(
            title: "Search", subtitle: query,
            sections: [.pictures(PictureGrid([PictureGrid.Query(caption: query, results: found)]))])
    }

    /// A small copy of a picture that was found.
    package func thumbnail(_ result: Result) throws -> PictureGrid.Picture {
        try PictureGrid.Picture(thumbnailOf: Image(contentsOf: path(of: result)))
    }
}

extension PictureGrid.Picture {
    /// The longer edge of a picture on a page, pixels.
    private static let thumbnailSize = 128

    /// A small copy of a picture.
    package init(thumbnailOf image: Image) throws {
        let longest = max(image.width, image.height)
        guard longest > Self.thumbnailSize else {
            self.init(try image.encoded(as: .png))
            return
        }
        let scale = Double(Self.thumbnailSize) / Double(longest)
        let small = image.resized(
            width: max(1, Int(Double(image.width) * scale)), height: max(1, Int(Double(image.height) * scale)))
        self.init(try small.encoded(as: .png))
    }
}
