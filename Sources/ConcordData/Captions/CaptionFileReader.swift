import ConcordCore

/// Reads the rows of a caption file, one after the other.
enum CaptionFileReader {
    enum Format {
        case jsonLines, tabs, commas
    }

    static func format(of path: String) -> Format? {
        switch path.split(separator: ".").last?.lowercased() {
        case "jsonl", "ndjson": .jsonLines
        case "tsv": .tabs
        case "csv": .commas
        default: nil
        }
    }

    /// Hands every row to `collector`. Throws for what makes the whole file unusable.
    static func read(
        _ path: String, options: CaptionFileOptions, into collector: inout CaptionCollector
    ) throws(ConcordError) {
        let format = format(of: path) ?? .jsonLines
        let file = try Files.read(path)
        // `withUnsafeBytes` rethrows untyped, so the error is carried out by hand.
        let failure: ConcordError? = file.withUnsafeBytes { bytes in
            do throws(ConcordError) {
                let text = try withoutByteOrderMark(bytes, path)
                switch format {
                case .jsonLines: readLines(text, options: options, into: &collector)
                case .tabs: try readTable(text, usual: UInt8(ascii: "\t"), path, options: options, into: &collector)
                case .commas: try readTable(text, usual: UInt8(ascii: ","), path, options: options, into: &collector)
                }
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    private static func withoutByteOrderMark(
        _ bytes: UnsafeRawBufferPointer, _ path: String
    ) throws(ConcordError) -> UnsafeRawBufferPointer {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw ConcordError(.invalidDataset, "\(path) is UTF-16; save it as UTF-8")
        }
        return bytes.starts(with: byteOrderMark)
            ? UnsafeRawBufferPointer(rebasing: bytes.dropFirst(byteOrderMark.count)) : bytes
    }

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    private static func readLines(
        _ bytes: UnsafeRawBufferPointer, options: CaptionFileOptions, into collector: inout CaptionCollector
    ) {
        let reader = JSONCaptionRow(options: options)
        var start = 0
        var line = 1
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            var row = bytes[start..<end]
            // Files that were joined keep the marks of those after the first.
            if row.starts(with: byteOrderMark) { row = row.dropFirst(byteOrderMark.count) }
            let isBlank = row.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
            if !isBlank { collector.add(reader.read(row), line: line) }
            start = end + 1
            line += 1
        }
    }

    private static func readTable(
        _ bytes: UnsafeRawBufferPointer, usual: UInt8, _ path: String, options: CaptionFileOptions,
        into collector: inout CaptionCollector
    ) throws(ConcordError) {
        let announced = announcedSeparator(bytes)
        let separator = options.separator ?? announced ?? separator(of: bytes, usual: usual, options)
        var parser = DelimitedParser(delimiter: separator, usesQuotes: options.usesQuotes)
        if announced != nil { _ = parser.next(in: bytes) }
        guard let header = parser.next(in: bytes) else {
            throw ConcordError(.invalidDataset, "\(path) is empty; its first line should name the columns")
        }
        let reader = try DelimitedCaptionRow(header: header, options: options, source: path)
        if separator != usual, options.separator == nil {
            let name = separator == UInt8(ascii: "\t") ? "tabs" : "`\(String(decoding: [separator], as: UTF8.self))`"
            collector.note("the columns of \(path) are separated by \(name)")
        }
        for note in reader.notes { collector.note(note) }
        while let row = parser.next(in: bytes) { collector.add(reader.read(row), line: row.line) }
    }

    /// The separator of a first line `sep=;`, which spreadsheets write and read.
    private static func announcedSeparator(_ bytes: UnsafeRawBufferPointer) -> UInt8? {
        let line = bytes.prefix(8).prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        return line.count == 5 && line.starts(with: "sep=".utf8) ? line.last : nil
    }

    /// The separator with which the header has the columns that are needed; where none has, the usual one, or that which
    /// makes the most columns, whose names an error then lists.
    private static func separator(
        of bytes: UnsafeRawBufferPointer, usual: UInt8, _ options: CaptionFileOptions
    ) -> UInt8 {
        var best = (separator: usual, columns: 0)
        for separator in [usual] + ",;\t|".utf8.filter({ $0 != usual }) {
            var parser = DelimitedParser(delimiter: separator, usesQuotes: options.usesQuotes)
            guard let header = parser.next(in: bytes) else { break }
            if DelimitedCaptionRow.hasColumns(header, options) { return separator }
            if header.fields.count > best.columns { best = (separator, header.fields.count) }
        }
        return best.separator
    }
}

/// The options for reading a caption file.
public struct CaptionFileOptions: Sendable, Hashable {
    /// The column (or JSON member) with the image's path; nil takes the first of `image`, `filepath`, `file_name`,
    /// `filename`, `image_path` that is there.
    package var imageColumn: String?
    /// The columns (or JSON members) with captions; nil takes the first of `caption`, `captions`, `text`, `title` that
    /// is there. Several columns are several captions; blank ones among them are left out.
    package var captionColumns: [String]?
    package var splitColumn = "split"
    package var languageColumn = "language"
    package var kindColumn = "kind"
    /// The language of captions for which the file gives none.
    public var language: String?
    /// The byte between the columns of a table; nil finds it: tab in a .tsv and comma in a .csv, or, where its header then
    /// has not the columns that are needed, another of comma, semicolon, tab and `|`.
    public var separator: UInt8?
    /// Whether a field that begins with `"` is quoted (RFC 4180). Turn it off for TSV files whose captions hold plain
    /// quotation marks.
    package var usesQuotes = true
    /// Whether every image must exist as a regular file. Its pixels are not looked at here.
    package var checksImages = true
    /// Whether an image may lie outside the dataset's folder. Absolute paths that lead into the folder, and symbolic
    /// links inside it to anywhere, are always allowed.
    package var allowsImagesOutsideFolder = false
    /// The largest part of the rows that may be unusable before reading fails.
    package var maximumSkippedFraction = 0.1

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

/// Checks rows, merges those of one image, and keeps account of what could not be used.
struct CaptionCollector: ~Copyable {
    private let file: String
    private var paths: ImagePaths
    private var items: [(image: String, captions: [Caption], split: String?, line: Int)] = []
    private var itemIndices: [UTF8Key: Int] = [:]
    private var seen: Set<CaptionKey> = []
    private(set) var skipped: [SkippedRow] = []
    private(set) var rowCount = 0
    /// Rows of JSON that have a member twice.
    private var ambiguousCount = 0
    private var fileNotes: [String] = []

    private struct CaptionKey: Hashable {
        let item: Int
        let text: UTF8Key
        let language: String?
    }

    init(folder: String, file: String, options: CaptionFileOptions) throws(ConcordError) {
        paths = try ImagePaths(folder: folder, options: options)
        self.file = file
    }

    /// The images so far, in the order of their first rows.
    var captionItems: [CaptionItem] {
        items.map { CaptionItem(image: $0.image, captions: $0.captions, split: $0.split, line: $0.line) }
    }

    /// Notes for the user on what was read otherwise than it is written.
    var notes: [String] {
        var notes = fileNotes + paths.notes
        if ambiguousCount > 0 {
            notes.append("\(ambiguousCount) rows have two image or caption members; the first was used")
        }
        return notes
    }

    mutating func note(_ text: String) { fileNotes.append(text) }

    mutating func add(_ row: Result<CaptionRow, CaptionRow.Problem>, line: Int) {
        rowCount += 1
        do {
            try add(try row.get(), line: line)
        } catch {
            skip(line, error)
        }
    }

    private mutating func skip(_ line: Int, caption: Int? = nil, _ problem: CaptionRow.Problem) {
        skipped.append(
            SkippedRow(file: file, line: line, caption: caption, reason: problem.reason, detail: problem.detail))
    }

    private mutating func add(_ row: CaptionRow, line: Int) throws(CaptionRow.Problem) {
        let written = UTF8Key(row.image)
        var known = itemIndices[written]
        let isNewSpelling = known == nil, image: String
        if let known {
            image = items[known].image
        } else {
            image = try paths.resolve(row.image)
            known = itemIndices[UTF8Key(image)]
        }
        if row.isAmbiguous { ambiguousCount += 1 }
        let item = known ?? items.count
        if let known, let split = row.split, let earlier = items[known].split, split != earlier {
            throw .init(.conflictingSplit, "split `\(split)`, but line \(items[known].line) has `\(earlier)`")
        }

        var captions: [Caption] = []
        var problems: [(index: Int, problem: CaptionRow.Problem)] = []
        for (index, result) in row.captions.enumerated() {
            do throws(CaptionRow.Problem) {
                let caption = try usable(result.get(), item: item)
                captions.append(caption)
            } catch {
                problems.append((index, error))
            }
        }
        guard !captions.isEmpty else {
            throw problems.first?.problem ?? .init(.emptyCaption, "the row has no captions")
        }
        for (index, problem) in problems { skip(line, caption: index + 1, problem) }
        if isNewSpelling { itemIndices[written] = item }
        if known == nil {
            if UTF8Key(image) != written { itemIndices[UTF8Key(image)] = item }
            items.append((image, captions, row.split, line))
        } else {
            items[item].captions += captions
            items[item].split = items[item].split ?? row.split
        }
    }

    private mutating func usable(_ caption: Caption, item: Int) throws(CaptionRow.Problem) -> Caption {
        let text = caption.text.trimmed
        guard !text.isEmpty else { throw .init(.emptyCaption, "the caption is blank") }
        guard seen.insert(CaptionKey(item: item, text: UTF8Key(text), language: caption.language)).inserted else {
            throw .init(.duplicateCaption, "the image already has this caption: \(text)")
        }
        return Caption(text, language: caption.language, kind: caption.kind)
    }
}
