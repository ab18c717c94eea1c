import ConcordCore
import ConcordData
import ConcordTestSupport
import Testing

/// A folder with four images, to be described by a caption file.
struct CaptionFolder {
    let folder: TemporaryFolder
    var path: String { folder.path }

    init() throws {
        folder = try TemporaryFolder()
        for name in ["a.png", "b.png", "c.png", "deep/d.png"] { try folder.write(name, "picture") }
    }

    func read(
        _ file: String, _ bytes: some Collection<UInt8>, _ options: CaptionFileOptions = .init()
    ) throws -> CaptionDataset {
        try folder.write(file, bytes)
        return try CaptionDataset(contentsOf: folder.path, options: options)
    }

    /// Options that skip any number of rows.
    static var tolerant: CaptionFileOptions {
        var options = CaptionFileOptions()
        options.maximumSkippedFraction = 1
        return options
    }

    /// Reads three good rows and one bad one, and returns what was skipped.
    private func skipped(_ file: String, _ good: String, _ bad: [UInt8]) throws -> SkippedRow {
        let dataset = try read(file, Array(good.utf8) + bad, Self.tolerant)
        #expect(dataset.items.map(\.image) == ["a.png", "b.png"])
        #expect(dataset.rowCount == 3)
        let row = try #require(dataset.skipped.first)
        #expect(dataset.skipped.count == 1 && row.caption == nil)
        #expect(row.file.hasSuffix(file) && row.line == (file.hasSuffix("csv") ? 4 : 3))
        return row
    }

    func skippedFromTable(_ bad: String) throws -> SkippedRow { try skippedFromTable(Array(bad.utf8)) }

    func skippedFromTable(_ bad: [UInt8]) throws -> SkippedRow {
        try skipped("captions.csv", "image,caption,split\na.png,x,train\nb.png,y,\n", bad)
    }

    func skippedFromLines(_ bad: [UInt8]) throws -> SkippedRow {
        let good = "{\"image\": \"a.png\", \"caption\": \"x\"}\n{\"image\": \"b.png\", \"caption\": \"y\"}\n"
        return try skipped("captions.jsonl", good, bad)
    }
}
