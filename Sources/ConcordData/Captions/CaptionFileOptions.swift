/// How to read a caption file.
public struct CaptionFileOptions: Sendable, Hashable {
    /// The column (or JSON member) with the picture's path; nil takes the first of `image`, `filepath`, `file_name`,
    /// `filename`, `image_path` that is there.
    public var imageColumn: String?
    /// The columns (or JSON members) with captions; nil takes the first of `caption`, `captions`, `text`, `title` that
    /// is there. Several columns are several captions; blank ones among them are left out.
    public var captionColumns: [String]?
    public var splitColumn = "split"
    public var languageColumn = "language"
    public var kindColumn = "kind"
    /// The language of captions for which the file gives none.
    public var language: String?
    /// Whether a field that begins with `"` is quoted (RFC 4180). Turn it off for TSV files whose captions hold plain
    /// quotation marks.
    public var usesQuotes = true
    /// Whether every picture must exist as a regular file. Its pixels are not looked at here.
    public var checksImages = true
    /// Whether a picture may lie outside the dataset's folder: absolute paths, and `..` out of the folder. Symbolic
    /// links inside the folder may always point anywhere.
    public var allowsImagesOutsideFolder = false
    /// The largest part of the rows that may be unusable before reading fails.
    public var maximumSkippedFraction = 0.1

    public init() {}

    static let imageColumns = ["image", "filepath", "file_name", "filename", "image_path"]
    static let captionColumns = ["caption", "captions", "text", "title"]
}
