import ConcordCore
import ConcordData
import ConcordMedia

extension PictureSearch {
    /// The longer edge of a picture on a page, pixels.
    private static let thumbnailSize = 128

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
    func thumbnail(_ result: Result) throws -> PictureGrid.Picture {
        let image = try Image(contentsOf: path(of: result))
        let longest = max(image.width, image.height)
        guard longest > Self.thumbnailSize else { return PictureGrid.Picture(try image.encoded(as: .png)) }
        let scale = Double(Self.thumbnailSize) / Double(longest)
        let small = image.resized(
            width: max(1, Int(Double(image.width) * scale)), height: max(1, Int(Double(image.height) * scale)))
        return PictureGrid.Picture(try small.encoded(as: .png))
    }
}
