import ConcordCore

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
    /// The byte between the columns of a table; nil finds it: tab in a .tsv and comma in a .csv, or, where its header then
    /// has not the columns that are needed, another of comma, semicolon, tab and `|`.
    public var separator: UInt8?
    /// Whether a field that begins with `"` is quoted (RFC 4180). Turn it off for TSV files whose captions hold plain
    /// quotation marks.
    public var usesQuotes = true
    /// Whether every picture must exist as a regular file. Its pixels are not looked at here.
    public var checksImages = true
    /// Whether a picture may lie outside the dataset's folder. Absolute paths that lead into the folder, and symbolic
    /// links inside it to anywhere, are always allowed.
    public var allowsImagesOutsideFolder = false
    /// The largest part of the rows that may be unusable before reading fails.
    public var maximumSkippedFraction = 0.1

    public init() {}

    static let imageColumns = ["image", "filepath", "file_name", "filename", "image_path"]
    static let captionColumns = ["caption", "captions", "text", "title"]

    /// Reads a separator as a user writes it: the character itself, or `tab`.
    ///
    /// - Throws: `.invalidConfiguration` for what cannot stand between columns.
    public static func separator(_ text: String) throws(ConcordError) -> UInt8 {
        if ["tab", "\\t"].contains(text) { return UInt8(ascii: "\t") }
        let bytes = Array(text.utf8)
        guard bytes.count == 1, [0x09, 0x20].contains(bytes[0]) || (0x21..<0x7F).contains(bytes[0]),
            !text.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "\"" })
        else {
            throw ConcordError(
                .invalidConfiguration,
                "the separator \"\(text)\" must be one character such as , ; or |, or the word tab")
        }
        return bytes[0]
    }
}
