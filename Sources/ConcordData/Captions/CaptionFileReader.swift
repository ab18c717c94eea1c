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
    ///
    /// - Parameter isOfSounds: whether a column with sounds is needed, and the others are not.
    static func read(
        _ path: String, options: CaptionFileOptions, isOfSounds: Bool = false, into collector: inout CaptionCollector
    ) throws(ConcordError) {
        let format = format(of: path) ?? .jsonLines
        let file = try Files.read(path)
        // `withUnsafeBytes` rethrows untyped, so the error is carried out by hand.
        let failure: ConcordError? = file.withUnsafeBytes { bytes in
            do throws(ConcordError) {
                let text = try withoutByteOrderMark(bytes, path)
                switch format {
                case .jsonLines: readLines(text, options: options, isOfSounds, into: &collector)
                case .tabs:
                    try readTable(
                        text, usual: UInt8(ascii: "\t"), path, options: options, isOfSounds, into: &collector)
                case .commas:
                    try readTable(text, usual: UInt8(ascii: ","), path, options: options, isOfSounds, into: &collector)
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
        _ bytes: UnsafeRawBufferPointer, options: CaptionFileOptions, _ isOfSounds: Bool,
        into collector: inout CaptionCollector
    ) {
        let reader = JSONCaptionRow(options: options, isOfSounds: isOfSounds)
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
        _ bytes: UnsafeRawBufferPointer, usual: UInt8, _ path: String, options: CaptionFileOptions, _ isOfSounds: Bool,
        into collector: inout CaptionCollector
    ) throws(ConcordError) {
        let announced = announcedSeparator(bytes)
        let separator = options.separator ?? announced ?? separator(of: bytes, usual: usual, options, isOfSounds)
        var parser = DelimitedParser(delimiter: separator, usesQuotes: options.usesQuotes)
        if announced != nil { _ = parser.next(in: bytes) }
        guard let header = parser.next(in: bytes) else {
            throw ConcordError(.invalidDataset, "\(path) is empty; its first line should name the columns")
        }
        let reader = try DelimitedCaptionRow(
            header: header, options: options, isOfSounds: isOfSounds, source: path)
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
        of bytes: UnsafeRawBufferPointer, usual: UInt8, _ options: CaptionFileOptions, _ isOfSounds: Bool
    ) -> UInt8 {
        var best = (separator: usual, columns: 0)
        for separator in [usual] + ",;\t|".utf8.filter({ $0 != usual }) {
            var parser = DelimitedParser(delimiter: separator, usesQuotes: options.usesQuotes)
            guard let header = parser.next(in: bytes) else { break }
            if DelimitedCaptionRow.hasColumns(header, options, isOfSounds) { return separator }
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
    /// The column (or JSON member) with the sound's path; nil takes the first of `audio`, `sound`, `audio_path` that is
    /// there, if any.
    package var audioColumn: String?
    package var splitColumn = "split"
    package var languageColumn = "language"
    package var kindColumn = "kind"
    package var voiceColumn = "voice"
    package var conditionColumn = "condition"
    /// The language of captions for which the file gives none.
    public var language: String?
    /// The byte between the columns of a table; nil finds it: tab in a .tsv and comma in a .csv, or, where its header then
    /// has not the columns that are needed, another of comma, semicolon, tab and `|`.
    public var separator: UInt8?
    /// Whether a field that begins with `"` is quoted (RFC 4180). Turn it off for TSV files whose captions hold plain
    /// quotation marks.
    package var usesQuotes = true
    /// Whether every image and sound must exist as a regular file. Its content is not looked at here.
    package var checksImages = true
    /// Whether an image may lie outside the dataset's folder. Absolute paths that lead into the folder, and symbolic
    /// links inside it to anywhere, are always allowed.
    package var allowsImagesOutsideFolder = false
    /// The largest part of the rows that may be unusable before reading fails.
    package var maximumSkippedFraction = 0.1
    /// What is done with a row whose image or sound is not there.
    public var onBadInput = BadInputPolicy.skip

    public init() {}

    static let imageColumns = ["image", "filepath", "file_name", "filename", "image_path"]
    static let captionColumns = ["caption", "captions", "text", "title"]
    static let audioColumns = ["audio", "sound", "audio_path"]

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
    /// The file that is being read.
    private var file: String
    private var isOfSounds = false
    private let policy: BadInputPolicy
    private var paths: MediaPaths
    private var items: [Item] = []
    private var itemIndices: [UTF8Key: Int] = [:]
    private var seen: Set<CaptionKey> = []
    private(set) var skipped: [SkippedRow] = []
    private(set) var rowCount = 0
    /// Rows of JSON that have a member twice.
    private var ambiguousCount = 0
    private var fileNotes: [String] = []

    private struct Item {
        let image: String?
        var captions: [Caption] = []
        var sounds: [Sound] = []
        var split: String?
        let line: Int
    }

    private struct CaptionKey: Hashable {
        let item: Int
        let text: UTF8Key
        let language: String?
    }

    init(folder: String, file: String, options: CaptionFileOptions) throws(ConcordError) {
        paths = try MediaPaths(folder: folder, options: options)
        self.file = file
        policy = options.onBadInput
    }

    /// From here on, rows are of a file with sounds: its captions and splits are those of the sounds.
    mutating func begin(sounds file: String) {
        self.file = file
        isOfSounds = true
    }

    /// The items so far, in the order of their first rows.
    var captionItems: [CaptionItem] {
        items.map { item in
            CaptionItem(
                image: item.image, captions: item.captions,
                sounds: item.sounds.map { $0.split == item.split ? $0.withoutSplit : $0 }, split: item.split,
                line: item.line)
        }
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

    private mutating func skip(
        _ line: Int, caption: Int? = nil, isPartial: Bool = false, _ problem: CaptionRow.Problem
    ) {
        skipped.append(
            SkippedRow(
                file: file, line: line, caption: caption, reason: problem.reason, isPartial: isPartial,
                detail: problem.detail))
    }

    private mutating func add(_ row: CaptionRow, line: Int) throws(CaptionRow.Problem) {
        let isMerged = row.image.map { itemIndices[UTF8Key($0)] != nil } ?? false
        let image = try resolve(row.image, .image, line: line), audio = try resolve(row.audio, .sound, line: line)
        if row.isAmbiguous { ambiguousCount += 1 }
        guard audio != nil || !isOfSounds else { throw .init(.emptyRow, "the row has no sound") }
        guard image != nil || audio != nil || !row.captions.isEmpty else {
            throw .init(.emptyRow, "the row has neither image, caption nor sound")
        }
        // Rows without an image are those of their sound; captions alone are each their own.
        let key = (image ?? audio.map { "\0" + $0 }).map(UTF8Key.init)
        let known = key.flatMap { itemIndices[$0] }, item = known ?? items.count
        if !isOfSounds, let known, let split = row.split, let earlier = items[known].split, split != earlier {
            throw .init(.conflictingSplit, "split `\(split)`, but line \(items[known].line) has `\(earlier)`")
        }

        // Of a sound of a known image they are what is said, and no further captions of the image.
        let isSaid = isOfSounds && image != nil && known != nil
        let captions = isSaid ? [] : try usable(row.captions, item: item, line: line, beside: audio)
        if known == nil {
            items.append(Item(image: image, split: isOfSounds && image != nil ? nil : row.split, line: line))
            if let key { itemIndices[key] = item }
        }
        if !isMerged, let written = row.image, image != nil { itemIndices[UTF8Key(written)] = item }
        items[item].captions += captions
        if !isOfSounds { items[item].split = items[item].split ?? row.split }
        if let audio {
            items[item].sounds.append(
                Sound(
                    path: audio, caption: said(row.captions), language: row.language, voice: row.voice,
                    condition: row.condition, split: row.split, line: line, file: file))
        }
    }

    /// The path of an image or a sound; nil for one that is absent, or that the policy takes for absent.
    private mutating func resolve(
        _ path: String?, _ kind: MediaPaths.Kind, line: Int
    ) throws(CaptionRow.Problem) -> String? {
        guard let path else { return nil }
        if kind == .image, let known = itemIndices[UTF8Key(path)], let image = items[known].image { return image }
        do throws(CaptionRow.Problem) {
            return try paths.resolve(path, kind)
        } catch {
            // Of a row of a file with sounds nothing is left without its sound.
            guard policy == .absent, !isOfSounds, error.reason.isOfInput else { throw error }
            skip(line, isPartial: true, error)
            return nil
        }
    }

    /// What is said in a sound: the one caption beside it.
    private func said(_ captions: [Result<Caption, CaptionRow.Problem>]) -> String? {
        guard captions.count == 1, let caption = try? captions[0].get() else { return nil }
        let text = caption.text.trimmed
        return text.isEmpty ? nil : text
    }

    /// The captions of a row that are new for their item.
    ///
    /// - Parameter audio: the sound of the row, which is new even where its captions are not.
    private mutating func usable(
        _ captions: [Result<Caption, CaptionRow.Problem>], item: Int, line: Int, beside audio: String?
    ) throws(CaptionRow.Problem) -> [Caption] {
        var usable: [Caption] = []
        var problems: [(index: Int, problem: CaptionRow.Problem)] = []
        for (index, result) in captions.enumerated() {
            do throws(CaptionRow.Problem) {
                let caption = try self.usable(result.get(), item: item)
                usable.append(caption)
            } catch {
                if audio == nil || error.reason != .duplicateCaption { problems.append((index, error)) }
            }
        }
        guard !usable.isEmpty || captions.isEmpty || (audio != nil && problems.isEmpty) else {
            throw problems.first?.problem ?? .init(.emptyCaption, "the row has no captions")
        }
        for (index, problem) in problems { skip(line, caption: index + 1, problem) }
        return usable
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

extension Sound {
    fileprivate var withoutSplit: Sound {
        Sound(
            path: path, caption: caption, language: language, voice: voice, condition: condition, split: nil,
            line: line, file: file)
    }
}
