import ConcordCore
import ConcordPlatform

/// Checks rows, merges those of one picture, and keeps account of what could not be used.
struct CaptionCollector: ~Copyable {
    private let file: String
    private let options: CaptionFileOptions
    private let folderDescriptor: Int32
    private var items: [(image: String, captions: [Caption], split: String?, line: Int)] = []
    private var itemIndices: [UTF8Key: Int] = [:]
    private var seen: Set<CaptionKey> = []
    private(set) var skipped: [SkippedRow] = []
    private(set) var rowCount = 0

    private struct CaptionKey: Hashable {
        let item: Int
        let text: UTF8Key
        let language: String?
    }

    init(folder: String, file: String, options: CaptionFileOptions) throws(ConcordError) {
        folderDescriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folderDescriptor >= 0 else { throw .system("open the folder", folder) }
        self.file = file
        self.options = options
    }

    deinit { close(folderDescriptor) }

    /// The pictures so far, in the order of their first rows.
    var captionItems: [CaptionItem] {
        items.map { CaptionItem(image: $0.image, captions: $0.captions, split: $0.split, line: $0.line) }
    }

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
        let image = try Self.normalized(row.image, allowsOutside: options.allowsImagesOutsideFolder)
        let known = itemIndices[UTF8Key(image)]
        if known == nil && options.checksImages { try checkImage(image) }
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
        if known == nil {
            itemIndices[UTF8Key(image)] = item
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

    private func checkImage(_ image: String) throws(CaptionRow.Problem) {
        var status = stat()
        guard fstatat(folderDescriptor, image, &status, 0) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .init(.missingImage, "there is no file \(image)")
        }
    }

    /// The path without empty parts, `.` and `..`.
    private static func normalized(_ path: String, allowsOutside: Bool) throws(CaptionRow.Problem) -> String {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw .init(.invalidPath, "the image path is empty or damaged")
        }
        if isNormal(path) { return path }
        var parts: [Substring] = []
        var leavesFolder = path.utf8.first == UInt8(ascii: "/")
        for part in path.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(part)
            } else if parts.popLast() == nil {
                leavesFolder = true
            }
        }
        if leavesFolder {
            guard allowsOutside else { throw .init(.invalidPath, "\(path) lies outside the dataset's folder") }
            return path
        }
        guard !parts.isEmpty else { throw .init(.invalidPath, "\(path) names no file") }
        return parts.joined(separator: "/")
    }

    /// Whether no part of the path is empty or begins with a dot, and it is relative: nearly every path.
    private static func isNormal(_ path: String) -> Bool {
        var previous = UInt8(ascii: "/")
        for byte in path.utf8 {
            if previous == UInt8(ascii: "/") && (byte == UInt8(ascii: ".") || byte == previous) { return false }
            previous = byte
        }
        return previous != UInt8(ascii: "/")
    }
}
