import ConcordCore

/// Checks rows, merges those of one picture, and keeps account of what could not be used.
struct CaptionCollector: ~Copyable {
    private let file: String
    private var paths: PicturePaths
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
        paths = try PicturePaths(folder: folder, options: options)
        self.file = file
    }

    /// The pictures so far, in the order of their first rows.
    var captionItems: [CaptionItem] {
        items.map { CaptionItem(image: $0.image, captions: $0.captions, split: $0.split, line: $0.line) }
    }

    /// What was read otherwise than it is written, for the user.
    var notes: [String] {
        var notes = fileNotes + paths.notes
        if ambiguousCount > 0 {
            notes.append("\(ambiguousCount) rows have a picture or caption member twice; the first was read")
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
            throw .init(.conflictingSplit, "split `\(split)`, but line \(items[known].line) says `\(earlier)`")
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
            throw .init(.duplicateCaption, "the picture has this caption already: \(text)")
        }
        return Caption(text, language: caption.language, kind: caption.kind)
    }
}
