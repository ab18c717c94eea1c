import ConcordCore

/// Images with captions, from a folder with `captions.jsonl`, `captions.tsv` or `captions.csv`.
///
/// A JSON line holds `image` and `caption` (a string) or `captions` (strings, or objects with `text`, `language` and
/// `kind`), and, if need be, `split`, `language` and `kind`. Tables have a header with the same names; see
/// ``CaptionFileOptions`` for others. Rows of one image are merged. Rows that cannot be used are listed in `skipped`.
public struct CaptionDataset: Sendable {
    /// The folder that image paths are relative to.
    public let folder: String
    /// The caption file that was read.
    package let captionFile: String
    /// One element an image, in the order of the file.
    public let items: [CaptionItem]
    /// The rows that could not be used, in the order of the file.
    public let skipped: [SkippedRow]
    /// Number of rows in the file, used or not.
    package let rowCount: Int
    /// Notes for the user, such as what was read otherwise than it is written.
    public let notes: [String]

    /// The names of caption files, in a dataset's folder.
    package static let captionFiles = ["captions.jsonl", "captions.tsv", "captions.csv"]

    /// Whether a folder has a caption file.
    package static func isDataset(_ folder: String) -> Bool {
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
            throw ConcordError(.invalidDataset, "\(file) has no usable rows; add rows with an image and a caption")
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

    /// The path of an item's image.
    public func path(of item: CaptionItem) -> String { path(ofImage: item.image) }

    /// The path of the image that an item calls `image`.
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

    /// The same images in other splits: those that `split` says, which is asked of each; nil is none.
    package func assigning(_ split: (CaptionItem) -> String?) -> CaptionDataset {
        let assigned = items.map {
            CaptionItem(image: $0.image, captions: $0.captions, split: split($0), line: $0.line)
        }
        return CaptionDataset(
            folder: folder, captionFile: captionFile, items: assigned, skipped: skipped, rowCount: rowCount,
            notes: notes)
    }
}

/// An image with all its captions.
public struct CaptionItem: Sendable, Hashable {
    /// The image's path, relative to the dataset's folder, without `.` parts and doubled slashes; as it is written for
    /// one outside the folder.
    public let image: String
    /// At least one caption, in the order of the file; none in a folder of images without a caption file.
    public let captions: [Caption]
    /// The split that the file puts the image in, when it says so.
    public let split: String?
    /// The line of the caption file, from 1, where the image's first row begins.
    public let line: Int

    public init(image: String, captions: [Caption], split: String? = nil, line: Int = 0) {
        self.image = image
        self.captions = captions
        self.split = split
        self.line = line
    }
}

/// One text that describes an image.
public struct Caption: Sendable, Hashable {
    public let text: String
    /// The language as a BCP 47 tag (`en`, `zh`), when the file says so.
    public let language: String?
    /// The kind of the caption (`name`, `keyword`, …), when the file says it. Sampling can weigh the kinds.
    public let kind: String?

    public init(_ text: String, language: String? = nil, kind: String? = nil) {
        self.text = text
        self.language = language
        self.kind = kind
    }
}

extension CaptionDataset {
    /// The items of a split; all for nil.
    ///
    /// - Throws: `.invalidDataset` for a split that no image is in, with those that there are.
    public func images(ofSplit split: String?) throws(ConcordError) -> CaptionDataset {
        guard let split else { return self }
        let chosen = filtered(split: split)
        guard chosen.items.isEmpty else { return chosen }
        var counts: [String: Int] = [:]
        for item in items { if let split = item.split { counts[split, default: 0] += 1 } }
        let source = captionFile.isEmpty ? folder : captionFile
        guard !counts.isEmpty else {
            throw ConcordError(
                .invalidDataset,
                "there is no split `\(split)`: \(source) puts no image into a split; omit the split, or add "
                    + "a column or member `split`")
        }
        let nearest = NearestName.suggestion(for: split, among: counts.keys)
        let known = counts.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value) images)" }
        throw ConcordError(
            .invalidDataset,
            "there is no split `\(split)` in \(source)" + (nearest.map { "; did you mean `\($0)`?" } ?? ".")
                + " It has " + known.joined(separator: ", "))
    }
}

extension CaptionDataset {
    /// Endings of the files that are taken for images where no caption file lists them, in lower case.
    package static let imageEndings: Set<String> = [
        "png", "jpg", "jpeg", "jpe", "webp", "gif", "tif", "tiff", "bmp", "avif", "heic", "heif", "jp2", "jxl", "ppm",
        "pgm", "pnm", "tga",
    ]

    /// The data set at a path, or, where that is a folder without a caption file, the images in it without captions.
    ///
    /// - Throws: as ``init(contentsOf:options:)`` and ``init(imagesIn:)``.
    public init(imagesAt path: String, options: CaptionFileOptions = .init()) throws(ConcordError) {
        if Files.isFolder(path), !Self.isDataset(path) {
            try self.init(imagesIn: path)
        } else {
            try self.init(contentsOf: path, options: options)
        }
    }

    /// The images in a folder and the folders in it, known by their endings, in the order of their paths' bytes.
    ///
    /// Hidden files and folders are left out, and those that macOS adds to archives; links to folders are not followed.
    ///
    /// - Throws: `.fileSystem` for a folder that cannot be read, `.invalidDataset` for one without images.
    public init(imagesIn folder: String) throws(ConcordError) {
        var names = [String]()
        try Self.addImages(below: "", of: folder, to: &names)
        guard !names.isEmpty else {
            throw ConcordError(
                .invalidDataset,
                "\(folder) has neither \(Self.captionFiles.joined(separator: ", ")) nor any images")
        }
        names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        self.init(folder: folder, items: names.map { CaptionItem(image: $0, captions: []) })
    }

    private static func addImages(
        below prefix: String, of folder: String, to names: inout [String]
    ) throws(ConcordError) {
        let path = prefix.isEmpty ? folder : folder + "/" + prefix
        let entries: [String]
        do { entries = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            throw ConcordError(.fileSystem, "cannot list \(path); check that it is a folder, and its permissions")
        }
        for entry in entries where entry.utf8.first != UInt8(ascii: ".") && entry != "__MACOSX" {
            let name = prefix.isEmpty ? entry : prefix + "/" + entry
            var status = stat()
            guard lstat(folder + "/" + name, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                try addImages(below: name, of: folder, to: &names)
            } else if let dot = entry.lastIndex(of: "."),
                imageEndings.contains(entry[entry.index(after: dot)...].lowercased())
            {
                names.append(name)
            }
        }
    }
}
