import ConcordCore

/// Reads the rows of a caption file, one after the other, from the mapped file.
enum CaptionFileReader {
    enum Format {
        case jsonLines, tabs, commas
    }

    static func format(of path: String) -> Format? {
        switch path.split(separator: ".").last {
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
        let file = try MappedFile(path: path)
        // `withUnsafeBytes` rethrows untyped, so the error is carried out by hand.
        let failure: ConcordError? = file.withUnsafeBytes { bytes in
            do throws(ConcordError) {
                let text = try withoutByteOrderMark(bytes, path)
                switch format {
                case .jsonLines: readLines(text, options: options, into: &collector)
                case .tabs: try readTable(text, UInt8(ascii: "\t"), path, options: options, into: &collector)
                case .commas: try readTable(text, UInt8(ascii: ","), path, options: options, into: &collector)
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
        return bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? UnsafeRawBufferPointer(rebasing: bytes.dropFirst(3)) : bytes
    }

    private static func readLines(
        _ bytes: UnsafeRawBufferPointer, options: CaptionFileOptions, into collector: inout CaptionCollector
    ) {
        let reader = JSONCaptionRow(options: options)
        var start = 0
        var line = 1
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let row = bytes[start..<end]
            let isBlank = row.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
            if !isBlank { collector.add(reader.read(row), line: line) }
            start = end + 1
            line += 1
        }
    }

    private static func readTable(
        _ bytes: UnsafeRawBufferPointer, _ delimiter: UInt8, _ path: String, options: CaptionFileOptions,
        into collector: inout CaptionCollector
    ) throws(ConcordError) {
        var parser = DelimitedParser(delimiter: delimiter, usesQuotes: options.usesQuotes)
        guard let header = parser.next(in: bytes) else {
            throw ConcordError(.invalidDataset, "\(path) is empty; its first line should name the columns")
        }
        let reader = try DelimitedCaptionRow(header: header, options: options, source: path)
        while let row = parser.next(in: bytes) { collector.add(reader.read(row), line: row.line) }
    }
}
