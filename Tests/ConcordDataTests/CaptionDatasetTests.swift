import ConcordCore
import ConcordData
import ConcordTestSupport
import Testing

@Suite struct CaptionDatasetTests {
    private let files: CaptionFolder
    private var folder: TemporaryFolder { files.folder }

    init() throws { files = try CaptionFolder() }

    @Test func readsJSONLinesAndMergesRowsOfOnePicture() throws {
        let rows = """
            {"image": "a.png", "caption": "a cat", "split": "train"}

            {"image": "deep/./d.png", "captions": ["one", {"text": "二", "language": "zh", "kind": "name"}], "extra": 1}\r
            {"file_name": "./a.png", "text": " another cat ", "language": "en"}
            """
        let dataset = try files.read("captions.jsonl", rows.utf8)
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
        #expect(Files.exists(dataset.path(of: dataset.items[1]) ?? ""))
    }

    @Test func readsTableWithByteOrderMarkCRLFAndQuotedNewlines() throws {
        let table = "\u{FEFF}filepath,title,split\r\na.png,\"one,\r\ntwo \"\"three\"\"\",train\r\n\r\nb.png,plain,\r\n"
        let dataset = try files.read("captions.csv", table.utf8)
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
        let dataset = try files.read(
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
        let dataset = try files.read("captions.tsv", "image\tcaption\na.png\t\"Wow\" he said\n".utf8, options)
        #expect(dataset.items[0].captions[0].text == "\"Wow\" he said")
    }

    @Test func keepsFileNamesApartThatOnlyDifferInNormalForm() throws {
        for name in ["\u{E9}.png", "e\u{301}.png"] { try folder.write(name, "picture") }
        let dataset = try files.read(
            "captions.jsonl",
            "{\"image\": \"\u{E9}.png\", \"caption\": \"x\"}\n{\"image\": \"e\u{301}.png\", \"caption\": \"x\"}\n".utf8)
        #expect(dataset.items.count == 2)
    }

    @Test func sameTextInTwoLanguagesIsNoDuplicate() throws {
        let row =
            #"{"image": "a.png", "captions": [{"text": "ATM", "language": "en"}, {"text": "ATM", "language": "zh"}]}"#
        #expect(try files.read("captions.jsonl", row.utf8).items[0].captions.count == 2)
    }

    @Test func imagesOutsideTheFolderOnRequest() throws {
        let other = try TemporaryFolder()
        let path = try other.write("x.png", "picture")
        var options = CaptionFileOptions()
        options.allowsImagesOutsideFolder = true
        let dataset = try files.read("captions.csv", "image,caption\n\(path),far\n".utf8, options)
        #expect(dataset.path(of: dataset.items[0]) == path)
    }

    @Test func filtersBySplitLanguageAndKind() throws {
        let rows = """
            {"image": "a.png", "split": "train", "captions": [{"text": "x", "language": "en", "kind": "name"}, {"text": "y", "language": "zh", "kind": "keyword"}]}
            {"image": "b.png", "split": "test", "captions": [{"text": "z", "language": "zh", "kind": "name"}]}
            """
        let dataset = try files.read("captions.jsonl", rows.utf8)
        #expect(dataset.filtered(split: "train").items.map(\.image) == ["a.png"])
        #expect(dataset.filtered(language: "zh").items.map { $0.captions.map(\.text) } == [["y"], ["z"]])
        #expect(dataset.filtered(language: "zh", kinds: ["name"]).items.map(\.image) == ["b.png"])
        #expect(dataset.filtered(split: "none").items.isEmpty)
    }

    // MARK: Splits, and folders without captions

    @Test func anUnknownSplitIsRefusedWithThoseThatThereAre() throws {
        let table = "image,caption,split\na.png,x,train\nb.png,y,train\nc.png,z,test\n"
        let dataset = try files.read("captions.csv", table.utf8)
        #expect(try dataset.images(ofSplit: "test").items.map(\.image) == ["c.png"])
        #expect(try dataset.images(ofSplit: nil).items.count == 3)
        let message = #expect(throws: ConcordError.self) { try dataset.images(ofSplit: "tests") }?.message ?? ""
        #expect(message.contains("did you mean `test`?") && message.hasSuffix("test (1 images), train (2 images)"))
        let none = try files.read("captions.csv", "image,caption\na.png,x\n".utf8)
        let without = #expect(throws: ConcordError.self) { try none.images(ofSplit: "train") }?.message ?? ""
        #expect(without.contains("puts no image into a split"))
    }

    @Test func aFolderOfPicturesNeedsNoCaptions() throws {
        for name in ["Z.JPG", "deep/er/e.webp", ".hidden.png", "__MACOSX/a.png", "deep/._d.png", "notes.txt"] {
            try folder.write(name, "picture")
        }
        let dataset = try CaptionDataset(imagesAt: folder.path)
        #expect(dataset.items.map(\.image) == ["Z.JPG", "a.png", "b.png", "c.png", "deep/d.png", "deep/er/e.webp"])
        #expect(dataset.items.allSatisfy { $0.captions.isEmpty && Files.exists(dataset.path(of: $0) ?? "") })
        // With a caption file it is a data set.
        try folder.write("captions.csv", "image,caption\nb.png,x\n")
        #expect(try CaptionDataset(imagesAt: folder.path).items.map(\.image) == ["b.png"])
        let empty = try TemporaryFolder()
        let error = #expect(throws: ConcordError.self) { try CaptionDataset(imagesAt: empty.path) }
        #expect(error?.code == .invalidDataset && error?.message.contains("nor any images") == true)
    }
}
