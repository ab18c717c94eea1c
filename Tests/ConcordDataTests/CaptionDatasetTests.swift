import ConcordCore
import ConcordData
import ConcordTestSupport
import Foundation
import Testing

@Suite struct CaptionDatasetTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for name in ["a.png", "b.png", "c.png", "deep/d.png"] { try folder.write(name, "picture") }
    }

    private func read(
        _ file: String, _ bytes: some Collection<UInt8>, _ options: CaptionFileOptions = .init()
    ) throws -> CaptionDataset {
        try folder.write(file, bytes)
        return try CaptionDataset(contentsOf: folder.path, options: options)
    }

    private var tolerant: CaptionFileOptions {
        var options = CaptionFileOptions()
        options.maximumSkippedFraction = 1
        return options
    }

    // MARK: Good input

    @Test func readsJSONLinesAndMergesRowsOfOnePicture() throws {
        let rows = """
            {"image": "a.png", "caption": "a cat", "split": "train"}

            {"image": "deep/./d.png", "captions": ["one", {"text": "二", "language": "zh", "kind": "name"}], "extra": 1}\r
            {"file_name": "./a.png", "text": " another cat ", "language": "en"}
            """
        let dataset = try read("captions.jsonl", rows.utf8)
        #expect(
            dataset.items == [
                CaptionItem(
                    image: "a.png", captions: [Caption("a cat"), Caption("another cat", language: "en")],
                    split: "train", line: 1),
                CaptionItem(
                    image: "deep/d.png", captions: [Caption("one"), Caption("二", language: "zh", kind: "name")],
                    line: 3),
            ])
        #expect(dataset.skipped.isEmpty)
        #expect(dataset.rowCount == 3)
        #expect(Files.exists(dataset.path(of: dataset.items[1])))
    }

    @Test func readsTableWithByteOrderMarkCRLFAndQuotedNewlines() throws {
        let table = "\u{FEFF}filepath,title,split\r\na.png,\"one,\r\ntwo \"\"three\"\"\",train\r\n\r\nb.png,plain,\r\n"
        let dataset = try read("captions.csv", table.utf8)
        #expect(
            dataset.items == [
                CaptionItem(image: "a.png", captions: [Caption("one,\r\ntwo \"three\"")], split: "train", line: 2),
                CaptionItem(image: "b.png", captions: [Caption("plain")], line: 5),
            ])
    }

    @Test func readsNamedColumnsWithSeveralCaptions() throws {
        var options = CaptionFileOptions()
        options.imageColumn = "picture"
        options.captionColumns = ["first", "second"]
        options.language = "en"
        let dataset = try read(
            "captions.tsv", "first\tpicture\tsecond\tlanguage\nx\ta.png\ty\t\n\tb.png\tz\tde\n".utf8, options)
        #expect(dataset.items.map(\.image) == ["a.png", "b.png"])
        #expect(dataset.items[0].captions == [Caption("x", language: "en"), Caption("y", language: "en")])
        // A blank cell beside a filled one is a picture with fewer captions.
        #expect(dataset.items[1].captions == [Caption("z", language: "de")])
        #expect(dataset.skipped.isEmpty)
    }

    @Test func plainQuotesInTSV() throws {
        var options = CaptionFileOptions()
        options.usesQuotes = false
        let dataset = try read("captions.tsv", "image\tcaption\na.png\t\"Wow\" he said\n".utf8, options)
        #expect(dataset.items[0].captions[0].text == "\"Wow\" he said")
    }

    @Test func keepsFileNamesApartThatOnlyDifferInNormalForm() throws {
        for name in ["\u{E9}.png", "e\u{301}.png"] { try folder.write(name, "picture") }
        let dataset = try read(
            "captions.jsonl",
            "{\"image\": \"\u{E9}.png\", \"caption\": \"x\"}\n{\"image\": \"e\u{301}.png\", \"caption\": \"x\"}\n".utf8)
        #expect(dataset.items.count == 2)
    }

    @Test func sameTextInTwoLanguagesIsNoDuplicate() throws {
        let row =
            #"{"image": "a.png", "captions": [{"text": "ATM", "language": "en"}, {"text": "ATM", "language": "zh"}]}"#
        #expect(try read("captions.jsonl", row.utf8).items[0].captions.count == 2)
    }

    @Test func imagesOutsideTheFolderOnRequest() throws {
        let other = try TemporaryFolder()
        let path = try other.write("x.png", "picture")
        var options = CaptionFileOptions()
        options.allowsImagesOutsideFolder = true
        let dataset = try read("captions.csv", "image,caption\n\(path),far\n".utf8, options)
        #expect(dataset.path(of: dataset.items[0]) == path)
    }

    @Test func filtersBySplitLanguageAndKind() throws {
        let rows = """
            {"image": "a.png", "split": "train", "captions": [{"text": "x", "language": "en", "kind": "name"}, {"text": "y", "language": "zh", "kind": "keyword"}]}
            {"image": "b.png", "split": "test", "captions": [{"text": "z", "language": "zh", "kind": "name"}]}
            """
        let dataset = try read("captions.jsonl", rows.utf8)
        #expect(dataset.filtered(split: "train").items.map(\.image) == ["a.png"])
        #expect(dataset.filtered(language: "zh").items.map { $0.captions.map(\.text) } == [["y"], ["z"]])
        #expect(dataset.filtered(language: "zh", kinds: ["name"]).items.map(\.image) == ["b.png"])
        #expect(dataset.filtered(split: "none").items.isEmpty)
    }

    // MARK: Bad rows

    /// Reads three good rows and one bad one, and returns what was skipped.
    private func skipped(_ file: String, _ good: String, _ bad: [UInt8]) throws -> SkippedRow {
        let dataset = try read(file, Array(good.utf8) + bad, tolerant)
        #expect(dataset.items.map(\.image) == ["a.png", "b.png"])
        #expect(dataset.rowCount == 3)
        let row = try #require(dataset.skipped.first)
        #expect(dataset.skipped.count == 1 && row.caption == nil)
        #expect(row.file.hasSuffix(file) && row.line == (file.hasSuffix("csv") ? 4 : 3))
        return row
    }

    private func skippedFromTable(_ bad: String) throws -> SkippedRow { try skippedFromTable(Array(bad.utf8)) }

    private func skippedFromTable(_ bad: [UInt8]) throws -> SkippedRow {
        try skipped("captions.csv", "image,caption,split\na.png,x,train\nb.png,y,\n", bad)
    }

    private func skippedFromLines(_ bad: [UInt8]) throws -> SkippedRow {
        let good = "{\"image\": \"a.png\", \"caption\": \"x\"}\n{\"image\": \"b.png\", \"caption\": \"y\"}\n"
        return try skipped("captions.jsonl", good, bad)
    }

    @Test func missingPictureIsSkippedAndNamed() throws {
        let row = try skippedFromTable("gone.png,text,\n")
        #expect(row.reason == .missingImage && row.detail.contains("gone.png"))
    }

    @Test func aFolderIsNoPicture() throws { #expect(try skippedFromTable("deep,text,").reason == .missingImage) }

    @Test func invalidUTF8IsSkipped() throws {
        #expect(try skippedFromTable(Array("c.png,caf".utf8) + [0xE9] + Array(",\n".utf8)).reason == .invalidUTF8)
    }

    @Test func invalidUTF8InJSONLinesIsSkipped() throws {
        let row = Array(#"{"image": "c.png", "caption": "caf"#.utf8) + [0xE9] + Array("\"}\n".utf8)
        #expect(try skippedFromLines(row).reason == .invalidUTF8)
    }

    @Test(arguments: ["c.png,,\n", "c.png,   ,\n", "c.png,\"\n\u{A0}\u{3000}\",\n"])
    func emptyCaptionIsSkipped(_ row: String) throws { #expect(try skippedFromTable(row).reason == .emptyCaption) }

    @Test func duplicatedRowIsSkipped() throws {
        #expect(try skippedFromTable("./a.png,x ,train\n").reason == .duplicateCaption)
    }

    @Test func conflictingSplitIsSkipped() throws {
        let row = try skippedFromTable("a.png,other,test\n")
        #expect(row.reason == .conflictingSplit && row.detail.contains("line 2"))
    }

    @Test(arguments: ["c.png,text\n", "c.png,one,two,three\n", "c.png\n"])
    func wrongColumnCountIsSkipped(_ row: String) throws {
        #expect(try skippedFromTable(row).reason == .wrongColumnCount)
    }

    @Test func unclosedQuoteIsSkipped() throws {
        #expect(try skippedFromTable("c.png,\"open,train\n").reason == .unclosedQuote)
    }

    @Test(arguments: ["../x.png", "deep/../../x.png", "/etc/passwd", "", ".", "deep/.."])
    func pathOutsideTheFolderIsSkipped(_ path: String) throws {
        #expect(try skippedFromTable("\(path),text,\n").reason == .invalidPath)
    }

    @Test func pathWithNULIsSkipped() throws {
        let row = #"{"image": "a.png\u0000.jpg", "caption": "x"}"#
        #expect(try skippedFromLines(Array(row.utf8)).reason == .invalidPath)
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
        #expect(try skippedFromLines(Array(row.utf8)).reason == reason)
    }

    @Test func oneBadCaptionLeavesTheOthers() throws {
        let row = #"{"image": "a.png", "captions": ["x", " ", "y", "x", 7]}"#
        let dataset = try read("captions.jsonl", row.utf8)
        #expect(dataset.items[0].captions.map(\.text) == ["x", "y"])
        #expect(dataset.skipped.map(\.caption) == [2, 4, 5])
        #expect(dataset.skipped.map(\.reason) == [.emptyCaption, .duplicateCaption, .wrongType])
    }

    // MARK: Too many bad rows

    @Test func moreThanATenthStopsWithCountsAndExamples() throws {
        let good = (0..<8).map { "a.png,caption \($0)\n" }.joined()
        let table = "image,caption\n" + good + "gone.png,x\nlost.png,y\na.png,\n"
        let error = #expect(throws: ConcordError.self) { try read("captions.csv", table.utf8) }
        #expect(error?.code == .tooManySkippedRows)
        let message = try #require(error?.message)
        #expect(message.contains("3 of 11 rows") && message.contains("10 %"))
        #expect(message.contains("missingImage 2 (line 10: there is no file gone.png)"))
        #expect(message.contains("emptyCaption 1 (line 12"))
        #expect(try CaptionDataset(contentsOf: folder.path, options: tolerant).items.count == 1)
    }

    @Test func exactlyATenthIsAllowed() throws {
        let good = (0..<9).map { "a.png,caption \($0)\n" }.joined()
        #expect(try read("captions.csv", ("image,caption\n" + good + "gone.png,x\n").utf8).skipped.count == 1)
    }

    @Test func writesSkippedRowsAsJSONLines() throws {
        let dataset = try read("captions.csv", "image,caption\na.png,x\ngone.png,\"q\"\"\"\n".utf8, tolerant)
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
        let error = #expect(throws: ConcordError.self) { try read(file, text.utf8, options) }
        #expect(error?.code == .invalidDataset)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func utf16IsRefused() throws {
        let error = #expect(throws: ConcordError.self) { try read("captions.csv", [0xFF, 0xFE, 0x69, 0x00]) }
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
