import ConcordCore
import ConcordData
import ConcordTestSupport
import Testing

/// What is skipped of a caption file, and what is refused.
@Suite struct SkippedRowTests {
    private let files: CaptionFolder
    private var folder: TemporaryFolder { files.folder }

    init() throws { files = try CaptionFolder() }

    // MARK: Bad rows

    @Test func missingPictureIsSkippedAndNamed() throws {
        let row = try files.skippedFromTable("gone.png,text,\n")
        #expect(row.reason == .missingImage && row.detail.contains("gone.png"))
    }

    @Test func aFolderIsNoPicture() throws {
        #expect(try files.skippedFromTable("deep,text,").reason == .missingImage)
    }

    @Test func invalidUTF8IsSkipped() throws {
        #expect(
            try files.skippedFromTable(Array("c.png,caf".utf8) + [0xE9] + Array(",\n".utf8)).reason == .invalidUTF8)
    }

    @Test func invalidUTF8InJSONLinesIsSkipped() throws {
        let row = Array(#"{"image": "c.png", "caption": "caf"#.utf8) + [0xE9] + Array("\"}\n".utf8)
        #expect(try files.skippedFromLines(row).reason == .invalidUTF8)
    }

    @Test(arguments: ["c.png,,\n", "c.png,   ,\n", "c.png,\"\n\u{A0}\u{3000}\",\n"])
    func emptyCaptionIsSkipped(_ row: String) throws {
        #expect(try files.skippedFromTable(row).reason == .emptyCaption)
    }

    @Test func duplicatedRowIsSkipped() throws {
        #expect(try files.skippedFromTable("./a.png,x ,train\n").reason == .duplicateCaption)
    }

    @Test func conflictingSplitIsSkipped() throws {
        let row = try files.skippedFromTable("a.png,other,test\n")
        #expect(row.reason == .conflictingSplit && row.detail.contains("line 2"))
    }

    @Test(arguments: ["c.png,text\n", "c.png,one,two,three\n", "c.png\n"])
    func wrongColumnCountIsSkipped(_ row: String) throws {
        #expect(try files.skippedFromTable(row).reason == .wrongColumnCount)
    }

    @Test func unclosedQuoteIsSkipped() throws {
        #expect(try files.skippedFromTable("c.png,\"open,train\n").reason == .unclosedQuote)
    }

    @Test(arguments: ["../x.png", "deep/../../x.png", "/etc/passwd", "", ".", "deep/.."])
    func pathOutsideTheFolderIsSkipped(_ path: String) throws {
        #expect(try files.skippedFromTable("\(path),text,\n").reason == .invalidPath)
    }

    @Test func pathWithNULIsSkipped() throws {
        let row = #"{"image": "a.png\u0000.jpg", "caption": "x"}"#
        #expect(try files.skippedFromLines(Array(row.utf8)).reason == .invalidPath)
    }

    @Test(arguments: [
        (#"{"image": "c.png", "caption": "x""#, SkippedRow.Reason.invalidJSON),
        (#"["c.png", "x"]"#, .wrongType),
        (#"{"image": 3, "caption": "x"}"#, .wrongType),
        (#"{"image": "c.png", "caption": 5}"#, .wrongType),
        (#"{"image": "c.png", "captions": [{"label": "x"}]}"#, .wrongType),
        (#"{"image": "c.png", "caption": "x", "split": 1}"#, .wrongType),
        (#"{"caption": "x"}"#, .missingField),
        (#"{"image": "c.png"}"#, .missingField),
        (#"{"image": "c.png", "captions": []}"#, .emptyCaption),
        (#"{"image": "c.png", "caption": null}"#, .emptyCaption),
    ])
    func badJSONRowIsSkipped(_ row: String, _ reason: SkippedRow.Reason) throws {
        #expect(try files.skippedFromLines(Array(row.utf8)).reason == reason)
    }

    @Test func oneBadCaptionLeavesTheOthers() throws {
        let row = #"{"image": "a.png", "captions": ["x", " ", "y", "x", 7]}"#
        let dataset = try files.read("captions.jsonl", row.utf8)
        #expect(dataset.items[0].captions.map(\.text) == ["x", "y"])
        #expect(dataset.skipped.map(\.caption) == [2, 4, 5])
        #expect(dataset.skipped.map(\.reason) == [.emptyCaption, .duplicateCaption, .wrongType])
    }

    // MARK: Too many bad rows

    @Test func moreThanATenthStopsWithCountsAndExamples() throws {
        let good = (0..<8).map { "a.png,caption \($0)\n" }.joined()
        let table = "image,caption\n" + good + "gone.png,x\nlost.png,y\na.png,\n"
        let error = #expect(throws: ConcordError.self) { try files.read("captions.csv", table.utf8) }
        #expect(error?.code == .tooManySkippedRows)
        let message = try #require(error?.message)
        #expect(message.contains("3 of 11 rows") && message.contains("10 %"))
        #expect(message.contains("missingImage 2 (line 10: there is no file gone.png)"))
        #expect(message.contains("emptyCaption 1 (line 12"))
        #expect(try CaptionDataset(contentsOf: folder.path, options: CaptionFolder.tolerant).items.count == 1)
    }

    @Test func exactlyATenthIsAllowed() throws {
        let good = (0..<9).map { "a.png,caption \($0)\n" }.joined()
        #expect(try files.read("captions.csv", ("image,caption\n" + good + "gone.png,x\n").utf8).skipped.count == 1)
    }

    @Test func writesSkippedRowsAsJSONLines() throws {
        let dataset = try files.read(
            "captions.csv", "image,caption\na.png,x\ngone.png,\"q\"\"\"\n".utf8, CaptionFolder.tolerant)
        let path = folder.path + "/skipped.jsonl"
        try SkippedRow.write(dataset.skipped, to: path)
        let row = try JSONValue(parsing: Files.read(path).dropLast(), source: path)
        #expect(row["line"]?.int == 3 && row["reason"]?.string == "missingImage")
        #expect(row["file"]?.string == dataset.captionFile && row["caption"] == nil)
    }

    // MARK: Files that cannot be read at all

    @Test(arguments: [
        ("captions.csv", "", "is empty"), ("captions.csv", "image,captain\n", "did you mean"),
        ("captions.csv", "image,caption\n", "no usable row"), ("captions.jsonl", "\n \n", "no usable row"),
        ("notes.txt", "image,caption\n", "holds none of"),
    ])
    func unusableFileIsRefused(_ file: String, _ text: String, _ message: String) throws {
        var options = CaptionFileOptions()
        if message == "did you mean" { options.captionColumns = ["caption"] }
        let error = #expect(throws: ConcordError.self) { try files.read(file, text.utf8, options) }
        #expect(error?.code == .invalidDataset)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func utf16IsRefused() throws {
        let error = #expect(throws: ConcordError.self) { try files.read("captions.csv", [0xFF, 0xFE, 0x69, 0x00]) }
        #expect(error?.message.contains("UTF-16") == true)
    }

    @Test func twoCaptionFilesAreRefused() throws {
        try folder.write("captions.csv", "image,caption\na.png,x\n")
        let path = try folder.write("captions.tsv", "image\tcaption\na.png\ty\n")
        #expect(throws: ConcordError.self) { try CaptionDataset(contentsOf: folder.path) }
        #expect(try CaptionDataset(contentsOf: path).items[0].captions[0].text == "y")
    }

    @Test func missingFolderIsRefused() {
        let error = #expect(throws: ConcordError.self) { try CaptionDataset(contentsOf: folder.path + "/none") }
        #expect(error?.code == .fileSystem)
    }
}
