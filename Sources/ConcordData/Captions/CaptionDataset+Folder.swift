import ConcordCore

extension CaptionDataset {
    /// Endings of the files that are taken for pictures where no caption file lists them, in lower case.
    public static let pictureEndings: Set<String> = [
        "png", "jpg", "jpeg", "jpe", "webp", "gif", "tif", "tiff", "bmp", "avif", "heic", "heif", "jp2", "jxl", "ppm",
        "pgm", "pnm", "tga",
    ]

    /// The data set at a path, or, where that is a folder without a caption file, the pictures in it without captions.
    ///
    /// - Throws: as ``init(contentsOf:options:)`` and ``init(picturesIn:)``.
    public init(picturesAt path: String, options: CaptionFileOptions = .init()) throws(ConcordError) {
        if Files.isFolder(path), !Self.isDataset(path) {
            try self.init(picturesIn: path)
        } else {
            try self.init(contentsOf: path, options: options)
        }
    }

    /// The pictures in a folder and the folders in it, known by their endings, in the order of their paths' bytes.
    ///
    /// Hidden files and folders are left out, and those that macOS adds to archives; links to folders are not followed.
    ///
    /// - Throws: `.fileSystem` for a folder that cannot be read, `.invalidDataset` for one without pictures.
    public init(picturesIn folder: String) throws(ConcordError) {
        var names = [String]()
        try Self.addPictures(below: "", of: folder, to: &names)
        guard !names.isEmpty else {
            throw ConcordError(
                .invalidDataset,
                "\(folder) has neither \(Self.captionFiles.joined(separator: ", ")) nor a picture in it")
        }
        names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        self.init(folder: folder, items: names.map { CaptionItem(image: $0, captions: []) })
    }

    private static func addPictures(
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
                try addPictures(below: name, of: folder, to: &names)
            } else if let dot = entry.lastIndex(of: "."),
                pictureEndings.contains(entry[entry.index(after: dot)...].lowercased())
            {
                names.append(name)
            }
        }
    }
}
