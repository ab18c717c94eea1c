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

    // MARK: Files of other systems and programs

    @Test func absolutePathsIntoTheFolderAreInside() throws {
        try folder.write("real/e.png", "picture")
        let link = folder.path + "-link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder.path)
        defer { try? FileManager.default.removeItem(atPath: link) }
        let name = try #require(folder.path.split(separator: "/").last)
        let table =
            "image,caption\n\(folder.path)/a.png,x\n\(link)/b.png,x\n../\(name)/c.png,x\n"
            + "\(folder.path)//real/../deep/./d.png,x\na.png,y\n"
        let images = ["a.png", "b.png", "c.png", "deep/d.png"]
        let dataset = try read("captions.csv", table.utf8)
        #expect(dataset.items.map(\.image) == images && dataset.skipped.isEmpty)
        #expect(dataset.items[0].captions.count == 2)
        // Also where the folder is named by the link.
        #expect(try CaptionDataset(contentsOf: link).items.map(\.image) == images)
    }

    @Test func aFolderThatBeginsAlikeIsOutside() throws {
        let row = try skippedFromTable("\(folder.path)-other/x.png,text,\n")
        #expect(row.reason == .invalidPath && row.detail.contains("--allow-outside-images"))
        #expect(row.detail.contains("data.allow_outside_images"))
    }

    @Test(arguments: ["https://example.com/a.png", "s3://bucket/a.png", "data:image/png;base64,AAAA"])
    func anAddressIsSaidToBeOne(_ address: String) throws {
        let row = try skippedFromTable("\"\(address)\",text,\n")
        #expect(row.reason == .remoteImage && row.reason.isOfImage)
        #expect(row.detail.contains(address.hasPrefix("data") ? "is a data URI" : "is a URL"))
    }

    @Test func backslashesOfWindowsAreSlashes() throws {
        try folder.write("odd\\name.png", "picture")
        let table = "image,caption\ndeep\\d.png,x\n.\\a.png,y\nodd\\name.png,z\n"
        let dataset = try read("captions.csv", table.utf8)
        #expect(dataset.items.map(\.image) == ["deep/d.png", "a.png", "odd\\name.png"])
        #expect(dataset.notes == ["the backslashes in the paths of 2 images were treated as slashes"])
        let row = try skippedFromTable("C:\\data\\c.png,text,\n")
        #expect(row.reason == .missingImage && row.detail.contains("a Windows path"))
    }

    @Test func namesInAnotherNormalFormAreFound() throws {
        // Written by macOS, decomposed; by others, composed; and mixed.
        for name in ["e\u{301}te\u{301}/u\u{308}.png", "\u{E9}/\u{E4}.png"] { try folder.write(name, "picture") }
        let rows = """
            {"image": "\u{E9}t\u{E9}/\u{FC}.png", "caption": "x"}
            {"image": "e\u{301}te\u{301}/u\u{308}.png", "caption": "y"}
            {"image": "e\u{301}/a\u{308}.png", "caption": "x"}
            """
        let dataset = try read("captions.jsonl", rows.utf8)
        #expect(
            dataset.items.map { Array($0.image.utf8) } == [
                Array("e\u{301}te\u{301}/u\u{308}.png".utf8), Array("\u{E9}/\u{E4}.png".utf8),
            ])
        #expect(dataset.items[0].captions.map(\.text) == ["x", "y"])
        #expect(dataset.notes.count == 1 && dataset.notes[0].contains("2 images"), "\(dataset.notes)")
    }

    @Test func aSecondColumnOfTheSameNameIsSaid() throws {
        let table = try read("captions.csv", "image,caption,caption,x,x\na.png,one,two,,\n".utf8)
        #expect(table.items[0].captions.map(\.text) == ["one"])
        #expect(
            table.notes.count == 1 && table.notes[0].hasSuffix("has 2 columns named `caption`; the first was used"))
        try FileManager.default.removeItem(atPath: folder.path + "/captions.csv")
        let lines = try read(
            "captions.jsonl", #"{"image": "a.png", "caption": "one", "caption": "two", "x": 1, "x": 2}"#.utf8)
        #expect(lines.items[0].captions.map(\.text) == ["one"])
        #expect(lines.notes == ["1 rows have two image or caption members; the first was used"])
    }

    @Test(arguments: [
        ("captions.csv", ";"), ("captions.csv", "\t"), ("captions.csv", "|"), ("captions.tsv", ","),
        ("captions.CSV", ";"),
    ]) func theSeparatorIsFound(_ file: String, _ separator: String) throws {
        let table = ["image,caption", "a.png,a cat", "b.png,\"a dog, asleep\""].map {
            $0.hasPrefix("b") ? "b.png\(separator)\"a dog, asleep\"" : $0.replacing(",", with: separator)
        }
        let path = try folder.write(file, table.joined(separator: "\r\n") + "\r\n")
        let dataset = try CaptionDataset(contentsOf: path)
        #expect(dataset.items.flatMap(\.captions).map(\.text) == ["a cat", "a dog, asleep"])
        #expect(dataset.notes.count == 1 && dataset.notes[0].contains("separated by"))
        var options = CaptionFileOptions()
        options.separator = try CaptionFileOptions.separator(separator == "\t" ? "tab" : separator)
        #expect(try CaptionDataset(contentsOf: path, options: options).notes.isEmpty)
    }

    @Test func theUsualSeparatorWinsWhereItFits() throws {
        let dataset = try read("captions.csv", "image,caption,a;b|c\na.png,x;y|z,1\n".utf8)
        #expect(dataset.items[0].captions[0].text == "x;y|z" && dataset.notes.isEmpty)
    }

    @Test func theSeparatorThatASpreadsheetAnnouncesIsTaken() throws {
        let dataset = try read(
            "captions.csv", "\u{FEFF}sep=|\r\nimage|caption\r\na.png|x\r\ngone.png|y\r\n".utf8, tolerant)
        #expect(dataset.items.map(\.image) == ["a.png"] && dataset.skipped.map(\.line) == [4])
    }

    @Test func columnsOfAnUnknownNameAreListedApart() throws {
        let error = #expect(throws: ConcordError.self) { try read("captions.csv", "bild;text\na.png;x\n".utf8) }
        let message = try #require(error?.message)
        #expect(message.contains("Columns: bild, text") && message.contains("--image-column"))
    }

    @Test(arguments: [",,", "a", "\"", "", "\u{E9}"]) func whatCannotSeparateIsRefused(_ text: String) {
        let error = #expect(throws: ConcordError.self) { try CaptionFileOptions.separator(text) }
        #expect(error?.code == .invalidConfiguration)
    }

    @Test func marksOfJoinedFilesArePassedOver() throws {
        let lines = [1, 2].map { "\u{FEFF}{\"image\": \"a.png\", \"caption\": \"\($0)\"}\n" }.joined()
        let dataset = try read("captions.jsonl", lines.utf8)
        #expect(dataset.items[0].captions.map(\.text) == ["1", "2"] && dataset.skipped.isEmpty)
    }

    // MARK: Splits, and folders without captions

    @Test func anUnknownSplitIsRefusedWithThoseThatThereAre() throws {
        let table = "image,caption,split\na.png,x,train\nb.png,y,train\nc.png,z,test\n"
        let dataset = try read("captions.csv", table.utf8)
        #expect(try dataset.images(ofSplit: "test").items.map(\.image) == ["c.png"])
        #expect(try dataset.images(ofSplit: nil).items.count == 3)
        let message = #expect(throws: ConcordError.self) { try dataset.images(ofSplit: "tests") }?.message ?? ""
        #expect(message.contains("did you mean `test`?") && message.hasSuffix("test (1 images), train (2 images)"))
        let none = try read("captions.csv", "image,caption\na.png,x\n".utf8)
        let without = #expect(throws: ConcordError.self) { try none.images(ofSplit: "train") }?.message ?? ""
        #expect(without.contains("puts no image into a split"))
    }

    @Test func aFolderOfPicturesNeedsNoCaptions() throws {
        for name in ["Z.JPG", "deep/er/e.webp", ".hidden.png", "__MACOSX/a.png", "deep/._d.png", "notes.txt"] {
            try folder.write(name, "picture")
        }
        let dataset = try CaptionDataset(imagesAt: folder.path)
        #expect(dataset.items.map(\.image) == ["Z.JPG", "a.png", "b.png", "c.png", "deep/d.png", "deep/er/e.webp"])
        #expect(dataset.items.allSatisfy { $0.captions.isEmpty && Files.exists(dataset.path(of: $0)) })
        // With a caption file it is a data set.
        try folder.write("captions.csv", "image,caption\nb.png,x\n")
        #expect(try CaptionDataset(imagesAt: folder.path).items.map(\.image) == ["b.png"])
        let empty = try TemporaryFolder()
        let error = #expect(throws: ConcordError.self) { try CaptionDataset(imagesAt: empty.path) }
        #expect(error?.code == .invalidDataset && error?.message.contains("nor any images") == true)
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
