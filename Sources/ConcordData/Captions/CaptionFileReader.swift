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

    /// What a first line `sep=;` says, which spreadsheets write and read.
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
