/// Content that a file has in place of the expected: the usual results of a failed download.
package enum ForeignContent {
    /// The number of bytes at the start of a file that are looked at.
    package static let lookLength = 1024

    /// A description of the bytes and advice, to follow a file's name: `is an HTML page, …`; nil for other content.
    package static func name(_ bytes: some Collection<UInt8>) -> String? {
        let start = Array(bytes.prefix(lookLength))
        func begins(_ text: String) -> Bool { start.starts(with: text.utf8) }
        guard !start.isEmpty else { return "is empty; fetch it again" }
        if begins("version https://git-lfs.github.com/spec/") {
            let size = pointedSize(start).map { " to a file of \(NumberText.bytes($0))" } ?? ""
            return "is a Git LFS pointer\(size), not the file itself; run `git lfs pull` where it was cloned, or "
                + "fetch the file from where it is published"
        }
        if start.starts(with: [0xFF, 0xFE]) || start.starts(with: [0xFE, 0xFF]) {
            return "is text in UTF-16; save it as UTF-8"
        }
        if start.starts(with: [0x1F, 0x8B]) { return "is compressed by gzip; unpack it first" }
        if begins("PK\u{3}\u{4}") {
            return "is a zip archive, such as torch.save writes; unpack or convert it first"
        }
        if start.count >= 64, start.allSatisfy({ $0 == 0 }) {
            return "begins with zeros, as a download does that was not finished; fetch it again"
        }
        return markup(start)
    }

    /// Throws an error with that code for a file that holds something else.
    package static func refuse(
        _ bytes: some Collection<UInt8>, path: String, _ code: ConcordError.Code
    ) throws(ConcordError) {
        if let name = name(bytes) { throw ConcordError(code, "\(path) \(name)") }
    }

    /// As ``name(_:)``, of a file; nil also for one that cannot be read.
    package static func name(ofFile path: String) -> String? {
        guard let file = try? FileReader(path: path) else { return nil }
        return (try? file.read(0..<min(file.count, lookLength))).flatMap { name($0) }
    }

    /// The size that a Git LFS pointer gives in its line `size 605247071`.
    private static func pointedSize(_ bytes: [UInt8]) -> Int? {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix("size ") }.flatMap { Int($0.dropFirst(5)) }
    }

    private static func markup(_ bytes: [UInt8]) -> String? {
        let isMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        let text = bytes.dropFirst(isMark ? 3 : 0).drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        func begins(_ name: String) -> Bool {
            text.count >= name.utf8.count
                && zip(text, name.utf8).allSatisfy { ($0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0) == $1 }
        }
        if ["<!doctype html", "<html", "<head", "<body"].contains(where: begins) {
            return "is an HTML page, such as one that asks to log in or says that something is not there; fetch the "
                + "file again, with a token if it is not public"
        }
        return begins("<?xml") ? "is an XML document, such as a server's error; fetch the file again" : nil
    }
}

extension JSONValue {
    /// Reads a file of one JSON document, which may begin with a byte-order mark.
    ///
    /// - Parameters:
    ///   - limit: the longest file that is read, in bytes.
    ///   - nonFiniteNumbers: whether `NaN`, `Infinity` and `-Infinity` are read as numbers, as Python writes them.
    /// - Throws: `.fileSystem`; `.malformedText` for what is not JSON, by its name where it is known: a Git LFS pointer,
    ///   an HTML page.
    package init(
        contentsOf path: String, limit: Int = 1 << 24, nonFiniteNumbers: Bool = false
    ) throws(ConcordError) {
        let bytes = try Files.read(path, limit: limit)
        var limits = JSONLimits.standard
        limits.nonFiniteNumbers = nonFiniteNumbers
        do throws(ConcordError) {
            try self.init(parsing: bytes, source: path, limits: limits)
        } catch {
            try ForeignContent.refuse(bytes, path: path, .malformedText)
            throw error
        }
    }
}
