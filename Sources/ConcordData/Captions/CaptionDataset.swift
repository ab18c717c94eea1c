import ConcordCore

/// Pictures with captions, from a folder with `captions.jsonl`, `captions.tsv` or `captions.csv`.
///
/// A JSON line holds `image` and `caption` (a string) or `captions` (strings, or objects with `text`, `language` and
/// `kind`), and, if need be, `split`, `language` and `kind`. Tables have a header with the same names; see
/// ``CaptionFileOptions`` for others. Rows of one picture are merged. Rows that cannot be used are listed in `skipped`.
public struct CaptionDataset: Sendable {
    /// The folder that picture paths are relative to.
    public let folder: String
    /// The caption file that was read.
    public let captionFile: String
    /// One element a picture, in the order of the file.
    public let items: [CaptionItem]
    /// What could not be used, in the order of the file.
    public let skipped: [SkippedRow]
    /// Number of rows in the file, used or not.
    public let rowCount: Int
    /// What was read otherwise than it is written, and other things that the user should know.
    public let notes: [String]

    /// The names of caption files, in a dataset's folder.
    public static let captionFiles = ["captions.jsonl", "captions.tsv", "captions.csv"]

    /// Whether a folder has a caption file.
    public static func isDataset(_ folder: String) -> Bool {
        captionFiles.contains { Files.exists(folder + "/" + $0) }
    }

    /// A dataset of given items.
    public init(folder: String, items: [CaptionItem], captionFile: String = "") {
        self.init(folder: folder, captionFile: captionFile, items: items, skipped: [], rowCount: items.count, notes: [])
    }

    private init(
        folder: String, captionFile: String, items: [CaptionItem], skipped: [SkippedRow], rowCount: Int, notes: [String]
    ) {
        self.folder = folder
        self.captionFile = captionFile
        self.items = items
        self.skipped = skipped
        self.rowCount = rowCount
        self.notes = notes
    }

    /// Reads a folder, or a caption file whose folder then is the dataset's.
    ///
    /// - Throws: `.fileSystem`; `.invalidDataset` when there is no caption file, more than one, a column is missing or
    ///   no row is left; `.tooManySkippedRows`, with counts and examples, when more rows cannot be used than
    ///   `options.maximumSkippedFraction` allows.
    public init(contentsOf path: String, options: CaptionFileOptions = .init()) throws(ConcordError) {
        let file = try Self.captionFile(at: path)
        let folder = Files.parent(of: file)
        var collector = try CaptionCollector(folder: folder, file: file, options: options)
        try CaptionFileReader.read(file, options: options, into: &collector)
        let items = collector.captionItems
        let lost = collector.skipped.filter { $0.caption == nil }
        if Double(lost.count) > options.maximumSkippedFraction * Double(collector.rowCount) {
            throw SkippedRow.tooMany(
                lost, of: collector.rowCount, noun: "rows", in: file, limit: options.maximumSkippedFraction)
        }
        guard !items.isEmpty else {
            throw ConcordError(.invalidDataset, "\(file) has no usable row; add rows with a picture and a caption")
        }
        self.init(
            folder: folder, captionFile: file, items: items, skipped: collector.skipped, rowCount: collector.rowCount,
            notes: collector.notes)
    }

    private static func captionFile(at path: String) throws(ConcordError) -> String {
        guard Files.exists(path) else {
            throw ConcordError(.fileSystem, "there is no file or folder \(path); check the path")
        }
        if CaptionFileReader.format(of: path) != nil { return path }
        let base = path.utf8.last == UInt8(ascii: "/") ? path : path + "/"
        let found = captionFiles.map { base + $0 }.filter(Files.exists)
        guard found.count == 1 else {
            let known = captionFiles.joined(separator: ", ")
            throw ConcordError(
                .invalidDataset,
                found.isEmpty
                    ? "\(path) holds none of \(known); add one, or name the caption file (.jsonl, .tsv or .csv)"
                    : "\(path) holds more than one of \(known); name the one to read")
        }
        return found[0]
    }

    /// Where the picture of `item` is.
    public func path(of item: CaptionItem) -> String { path(ofImage: item.image) }

    /// Where the picture is that an item calls `image`.
    public func path(ofImage image: String) -> String {
        image.utf8.first == UInt8(ascii: "/") ? image : "\(folder)/\(image)"
    }

    /// The items of one split, with the captions of one language and of certain kinds; nil does not filter.
    ///
    /// Items that have no such caption are left out. `skipped` and `rowCount` stay those of the file.
    public func filtered(
        split: String? = nil, language: String? = nil, kinds: Set<String>? = nil
    ) -> CaptionDataset {
        let chosen = items.compactMap { item -> CaptionItem? in
            guard split == nil || item.split == split else { return nil }
            let captions = item.captions.filter { caption in
                (language == nil || caption.language == language)
                    && (kinds == nil || caption.kind.map { kinds?.contains($0) ?? true } ?? false)
            }
            guard !captions.isEmpty else { return nil }
            return CaptionItem(image: item.image, captions: captions, split: item.split, line: item.line)
        }
        return CaptionDataset(
            folder: folder, captionFile: captionFile, items: chosen, skipped: skipped, rowCount: rowCount, notes: notes)
    }

    /// The same pictures in other splits: those that `split` says, which is asked of each; nil is none.
    public func assigning(_ split: (CaptionItem) -> String?) -> CaptionDataset {
        let assigned = items.map {
            CaptionItem(image: $0.image, captions: $0.captions, split: split($0), line: $0.line)
        }
        return CaptionDataset(
            folder: folder, captionFile: captionFile, items: assigned, skipped: skipped, rowCount: rowCount,
            notes: notes)
    }
}
