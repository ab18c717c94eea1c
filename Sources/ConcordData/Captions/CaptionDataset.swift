import ConcordCore

/// Images with captions and sounds, from a folder with `captions.jsonl`, `captions.tsv` or `captions.csv`.
///
/// A JSON line holds `image` and `caption` (a string) or `captions` (strings, or objects with `text`, `language` and
/// `kind`), and, if need be, `audio`, `split`, `language` and `kind`. Tables have a header with the same names; see
/// ``CaptionFileOptions`` for others. Rows of one image are merged. Rows that cannot be used are listed in `skipped`.
///
/// A file with sounds may leave image, caption or sound of a row out: what is not there is absent, and nothing stands for
/// it. Where an image has many sounds, they are in a file of their own beside the captions, `sounds.jsonl`, `.tsv` or
/// `.csv`: a row a sound, with `audio`, the `image` that it belongs to, if any, and the `caption` that it says.
public struct CaptionDataset: Sendable {
    /// The folder that the paths of images and sounds are relative to.
    public let folder: String
    /// The caption file that was read.
    package let captionFile: String
    /// The file with sounds that was read beside it; nil where there is none.
    package let soundFile: String?
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
    /// The names of files with sounds, beside a caption file.
    package static let soundFiles = ["sounds.jsonl", "sounds.tsv", "sounds.csv"]

    /// Whether a folder has a caption file.
    package static func isDataset(_ folder: String) -> Bool {
        captionFiles.contains { Files.exists(folder + "/" + $0) }
    }

    /// A dataset of given items.
    public init(folder: String, items: [CaptionItem], captionFile: String = "") {
        self.init(
            folder: folder, captionFile: captionFile, soundFile: nil, items: items, skipped: [], rowCount: items.count,
            notes: [])
    }

    private init(
        folder: String, captionFile: String, soundFile: String?, items: [CaptionItem], skipped: [SkippedRow],
        rowCount: Int, notes: [String]
    ) {
        self.folder = folder
        self.captionFile = captionFile
        self.soundFile = soundFile
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
        let sounds = try Self.soundFile(beside: file)
        if let sounds {
            // The names of columns that the caption file has say nothing of this one.
            var usual = CaptionFileOptions()
            usual.checksImages = options.checksImages
            usual.allowsImagesOutsideFolder = options.allowsImagesOutsideFolder
            usual.onBadInput = options.onBadInput
            collector.begin(sounds: sounds)
            try CaptionFileReader.read(sounds, options: usual, isOfSounds: true, into: &collector)
        }
        if options.onBadInput == .fail, let first = collector.skipped.first(where: { $0.reason.isOfInput }) {
            throw ConcordError(
                .invalidDataset,
                "\(first.file) line \(first.line): \(first.detail); correct it, or choose what is done with such rows "
                    + "(data.on_bad_input skip or absent)")
        }
        let items = collector.captionItems
        let lost = collector.skipped.filter { $0.caption == nil && !$0.isPartial }
        if Double(lost.count) > options.maximumSkippedFraction * Double(collector.rowCount) {
            throw SkippedRow.tooMany(
                lost, of: collector.rowCount, noun: "rows", in: file, limit: options.maximumSkippedFraction)
        }
        guard !items.isEmpty else {
            throw ConcordError(.invalidDataset, "\(file) has no usable rows; add rows with an image and a caption")
        }
        self.init(
            folder: folder, captionFile: file, soundFile: sounds, items: items, skipped: collector.skipped,
            rowCount: collector.rowCount, notes: collector.notes)
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

    /// The file with sounds beside a caption file of the usual name; nil where there is none.
    private static func soundFile(beside file: String) throws(ConcordError) -> String? {
        let folder = Files.parent(of: file)
        guard captionFiles.contains(where: { file == folder + "/" + $0 || file == $0 }) else { return nil }
        let found = soundFiles.map { folder + "/" + $0 }.filter(Files.exists)
        guard found.count < 2 else {
            throw ConcordError(
                .invalidDataset, "\(folder) holds more than one of \(soundFiles.joined(separator: ", ")); keep one")
        }
        return found.first
    }

    /// The path of an item's image; nil for an item without one.
    public func path(of item: CaptionItem) -> String? { item.image.map(path(ofFile:)) }

    /// The path of a sound.
    public func path(of sound: Sound) -> String { path(ofFile: sound.path) }

    /// The path of the image or sound that an item calls `file`.
    public func path(ofFile file: String) -> String {
        file.utf8.first == UInt8(ascii: "/") ? file : "\(folder)/\(file)"
    }

    /// The items that have an image. `skipped` and `rowCount` stay those of the file.
    public var withImages: CaptionDataset {
        guard items.contains(where: { $0.image == nil }) else { return self }
        return replacing(items.filter { $0.image != nil })
    }

    /// The paths of the images, absolute or relative as the folder is, in the order of the items that have one.
    package var imagePaths: [String] { items.compactMap(path(of:)) }

    private func replacing(_ items: [CaptionItem]) -> CaptionDataset {
        CaptionDataset(
            folder: folder, captionFile: captionFile, soundFile: soundFile, items: items, skipped: skipped,
            rowCount: rowCount, notes: notes)
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
            // What has no captions at all was not filtered by them.
            let isUncaptioned = item.captions.isEmpty && !item.sounds.isEmpty && language == nil && kinds == nil
            guard !captions.isEmpty || isUncaptioned else { return nil }
            return CaptionItem(
                image: item.image, captions: captions, sounds: item.sounds, split: item.split, line: item.line)
        }
        return replacing(chosen)
    }

    /// The same images in other splits: those that `split` says, which is asked of each; nil is none.
    package func assigning(_ split: (CaptionItem) -> String?) -> CaptionDataset {
        replacing(
            items.map {
                CaptionItem(
                    image: $0.image, captions: $0.captions, sounds: $0.sounds, split: split($0), line: $0.line)
            })
    }
}

/// An image with all its captions and sounds, or captions and sounds without an image.
public struct CaptionItem: Sendable, Hashable {
    /// The image's path, relative to the dataset's folder, without `.` parts and doubled slashes; as it is written for
    /// one outside the folder. Nil where there is none.
    public let image: String?
    /// The captions, in the order of the file; none in a folder of images without a caption file.
    public let captions: [Caption]
    /// The sounds, in the order of the file.
    public let sounds: [Sound]
    /// The split that the file puts the image in, when it says so.
    public let split: String?
    /// The line of the caption file, from 1, where the item's first row begins.
    public let line: Int

    public init(
        image: String?, captions: [Caption], sounds: [Sound] = [], split: String? = nil, line: Int = 0
    ) {
        self.image = image
        self.captions = captions
        self.sounds = sounds
        self.split = split
        self.line = line
    }

    /// What messages and lists call it: its image, or else its first sound or caption.
    package var name: String { image ?? sounds.first?.path ?? captions.first?.text ?? "line \(line)" }

    /// The sounds that training may hear, where it takes the item: those that the file puts into no other split.
    package var trainedSounds: [Sound] { sounds.filter { $0.split == nil } }
}

/// A sound of an item: what is said or heard.
public struct Sound: Sendable, Hashable {
    /// The path, relative to the dataset's folder.
    public let path: String
    /// What is said, or describes what is heard, where the file says it.
    public let caption: String?
    /// The language as a BCP 47 tag (`en`, `zh`), when the file says so.
    public let language: String?
    /// Who speaks, when the file says so.
    public let voice: String?
    /// The rows of evaluation tables that it counts in (`trained`, `human`, …), when the file says so.
    public let condition: String?
    /// The split of a sound that is in another one than its item; nil for one that goes where its item goes.
    public let split: String?
    /// The line from 1, and the file, that name it.
    package let line: Int
    package let file: String

    public init(
        path: String, caption: String? = nil, language: String? = nil, voice: String? = nil,
        condition: String? = nil, split: String? = nil
    ) {
        self.init(
            path: path, caption: caption, language: language, voice: voice, condition: condition, split: split, line: 0,
            file: "")
    }

    package init(
        path: String, caption: String?, language: String?, voice: String?, condition: String?, split: String?,
        line: Int, file: String
    ) {
        self.path = path
        self.caption = caption
        self.language = language
        self.voice = voice
        self.condition = condition
        self.split = split
        self.line = line
        self.file = file
    }
}

/// What is done with an image or a sound that is missing, or cannot be decoded.
public enum BadInputPolicy: String, Sendable, Hashable, CaseIterable {
    /// It is an error.
    case fail
    /// Its row is left out; while training another takes its place.
    case skip
    /// Its row goes on without it.
    case absent
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
