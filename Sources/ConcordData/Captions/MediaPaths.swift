import ConcordCore
import ConcordText

/// Finds the images and sounds that a caption file names, which may have been written on another system than this.
///
/// Paths are relative to the folder of the file. An absolute path, or one that climbs out of the folder, is taken where
/// it leads back into it, under whatever name. Where there is no such file, backslashes are read as slashes (tables of
/// Windows), and names in the other normal forms of Unicode (macOS) are looked for.
struct MediaPaths: ~Copyable {
    /// What a path leads to.
    enum Kind: String {
        case image, sound
    }

    private let folder: String
    private let descriptor: Int32
    private let options: CaptionFileOptions
    /// The folder's absolute path, as it is named and without links, each with a slash at its end.
    private let roots: [String]
    /// The real paths of folders that absolute paths have named.
    private var realFolders: [String: String] = [:]
    /// Files that were found with slashes in place of backslashes.
    private var slashedCount = 0
    /// Files whose names are in another normal form than the file says.
    private var otherFormCount = 0

    /// Throws `.fileSystem` for a folder that cannot be opened.
    init(folder: String, options: CaptionFileOptions) throws(ConcordError) {
        descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open the folder", folder) }
        self.folder = folder
        self.options = options
        let named = Self.absolute(folder, from: Self.realPath(".") ?? "/")
        roots = [named, Self.realPath(folder) ?? named].map { $0 == "/" ? $0 : $0 + "/" }
    }

    deinit { close(descriptor) }

    /// The paths that were read otherwise than they are written.
    var notes: [String] {
        var notes = [String]()
        if slashedCount > 0 {
            notes.append("the backslashes in the paths of \(slashedCount) files were treated as slashes")
        }
        if otherFormCount > 0 {
            notes.append(
                "the names of \(otherFormCount) files are in another Unicode normal form (NFC or NFD) than those of "
                    + "their files, which were used")
        }
        return notes
    }

    /// The path of a file below the folder, without `.` and `..`; absolute for a file outside, where that is allowed.
    mutating func resolve(_ path: String, _ kind: Kind = .image) throws(CaptionRow.Problem) -> String {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw .init(.invalidPath, "the \(kind.rawValue) path is empty or damaged")
        }
        try Self.refuseURL(path, kind)
        let placed = try placed(path)
        guard options.checksImages, !isFile(placed) else { return placed }
        let slashed = try self.placed(Self.slashed(path))
        if slashed != placed, isFile(slashed) {
            slashedCount += 1
            return slashed
        }
        if let other = inOtherForm(slashed) {
            otherFormCount += 1
            return other
        }
        let isOfWindows = Self.slashed(path).dropFirst().hasPrefix(":/")
        throw .init(
            kind == .image ? .missingImage : .missingSound,
            "there is no file \(path)"
                + (isOfWindows ? ", a Windows path; make it relative to the caption file" : ""))
    }

    private static func slashed(_ path: String) -> String {
        String(decoding: path.utf8.map { $0 == UInt8(ascii: "\\") ? UInt8(ascii: "/") : $0 }, as: UTF8.self)
    }

    private static func refuseURL(_ path: String, _ kind: Kind) throws(CaptionRow.Problem) {
        let isData = path.utf8.starts(with: "data:".utf8) && path.contains(";base64,")
        guard isData || path.isURL else { return }
        let shown = path.count > 120 ? String(path.prefix(120)) + "…" : path
        throw .init(
            kind == .image ? .remoteImage : .remoteSound,
            "\(shown) is a \(isData ? "data URI" : "URL"), but \(kind.rawValue)s are read from files; "
                + (isData ? "save it to a file and name the file" : "download it and name the file"))
    }

    private func isFile(_ path: String) -> Bool {
        var status = stat()
        return fstatat(descriptor, path, &status, 0) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    // MARK: Inside or outside

    /// The path without empty parts, `.` and `..`, whether there is such a file or not.
    private mutating func placed(_ path: String) throws(CaptionRow.Problem) -> String {
        if Self.isNormal(path) { return path }
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
            if let inside = inside(Self.absolute(path, from: roots[0])) { return inside }
            guard options.allowsImagesOutsideFolder else {
                throw .init(
                    .invalidPath,
                    "\(path) lies outside the data set's folder \(folder); move it there, or allow images outside "
                        + "(--allow-outside-images, data.allow_outside_images in a recipe)")
            }
            return path
        }
        guard !parts.isEmpty else { throw .init(.invalidPath, "\(path) names no file") }
        return parts.joined(separator: "/")
    }

    /// The path below the folder that an absolute path means; nil for one that lies elsewhere.
    private mutating func inside(_ path: String) -> String? {
        if let known = remainder(of: path) { return known }
        // Links may give the same folder another name.
        let parent = Files.parent(of: path)
        let real = realFolders[parent] ?? Self.realPath(parent) ?? parent
        realFolders[parent] = real
        return remainder(of: real + "/" + path.utf8.suffix(while: { $0 != UInt8(ascii: "/") }))
    }

    private func remainder(of path: String) -> String? {
        for root in roots where path.utf8.starts(with: root.utf8) && path.utf8.count > root.utf8.count {
            return String(decoding: path.utf8.dropFirst(root.utf8.count), as: UTF8.self)
        }
        return nil
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

    /// An absolute path without `.` and `..`, by the text alone.
    private static func absolute(_ path: String, from base: String) -> String {
        let whole = path.utf8.first == UInt8(ascii: "/") ? path : base + "/" + path
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    // MARK: Normal forms

    /// The path of a file whose folders and name are those of `path` in any normal form; nil where there is none.
    private func inOtherForm(_ path: String) -> String? {
        guard !path.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        let isAbsolute = path.utf8.first == UInt8(ascii: "/")
        var found = isAbsolute ? "/" : ""
        for part in path.split(separator: "/") {
            let scalars = Array(part.unicodeScalars), prefix = found + (found.isEmpty || found == "/" ? "" : "/")
            var next: String?
            for form in [scalars] + [.c, .d].map({ Normalization.mapped(scalars[...], $0) }) where next == nil {
                let path = prefix + String(String.UnicodeScalarView(form))
                if faccessat(descriptor, path, F_OK, 0) == 0 { next = path }
            }
            guard let next else { return nil }
            found = next
        }
        return isFile(found) ? found : nil
    }
}

extension String.UTF8View {
    /// The end of the text, as long as its bytes are what `isPart` wants.
    fileprivate func suffix(while isPart: (UInt8) -> Bool) -> String {
        String(decoding: reversed().prefix(while: isPart).reversed(), as: UTF8.self)
    }
}
