import ConcordCore
import ConcordData
import ConcordTestSupport
import Foundation
import Testing

/// Caption files of other systems and programs.
@Suite struct ForeignCaptionFileTests {
    private let files: CaptionFolder
    private var folder: TemporaryFolder { files.folder }

    init() throws { files = try CaptionFolder() }

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
        let dataset = try files.read("captions.csv", table.utf8)
        #expect(dataset.items.map(\.image) == images && dataset.skipped.isEmpty)
        #expect(dataset.items[0].captions.count == 2)
        // Also where the folder is named by the link.
        #expect(try CaptionDataset(contentsOf: link).items.map(\.image) == images)
    }

    @Test func aFolderThatBeginsAlikeIsOutside() throws {
        let row = try files.skippedFromTable("\(folder.path)-other/x.png,text,\n")
        #expect(row.reason == .invalidPath && row.detail.contains("--allow-outside-images"))
        #expect(row.detail.contains("data.allow_outside_images"))
    }

    @Test(arguments: ["https://example.com/a.png", "s3://bucket/a.png", "data:image/png;base64,AAAA"])
    func anAddressIsSaidToBeOne(_ address: String) throws {
        let row = try files.skippedFromTable("\"\(address)\",text,\n")
        #expect(row.reason == .remoteImage && row.reason.isOfImage)
        #expect(row.detail.contains(address.hasPrefix("data") ? "is a data URI" : "is a URL"))
    }

    @Test func backslashesOfWindowsAreSlashes() throws {
        try folder.write("odd\\name.png", "picture")
        let table = "image,caption\ndeep\\d.png,x\n.\\a.png,y\nodd\\name.png,z\n"
        let dataset = try files.read("captions.csv", table.utf8)
        #expect(dataset.items.map(\.image) == ["deep/d.png", "a.png", "odd\\name.png"])
        #expect(dataset.notes == ["the backslashes in the paths of 2 files were treated as slashes"])
        let row = try files.skippedFromTable("C:\\data\\c.png,text,\n")
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
        let dataset = try files.read("captions.jsonl", rows.utf8)
        #expect(
            dataset.items.map { Array($0.name.utf8) } == [
                Array("e\u{301}te\u{301}/u\u{308}.png".utf8), Array("\u{E9}/\u{E4}.png".utf8),
            ])
        #expect(dataset.items[0].captions.map(\.text) == ["x", "y"])
        #expect(dataset.notes.count == 1 && dataset.notes[0].contains("2 files"), "\(dataset.notes)")
    }

    @Test func aSecondColumnOfTheSameNameIsSaid() throws {
        let table = try files.read("captions.csv", "image,caption,caption,x,x\na.png,one,two,,\n".utf8)
        #expect(table.items[0].captions.map(\.text) == ["one"])
        #expect(
            table.notes.count == 1 && table.notes[0].hasSuffix("has 2 columns named `caption`; the first was used"))
        try FileManager.default.removeItem(atPath: folder.path + "/captions.csv")
        let lines = try files.read(
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
        let dataset = try files.read("captions.csv", "image,caption,a;b|c\na.png,x;y|z,1\n".utf8)
        #expect(dataset.items[0].captions[0].text == "x;y|z" && dataset.notes.isEmpty)
    }

    @Test func theSeparatorThatASpreadsheetAnnouncesIsTaken() throws {
        let dataset = try files.read(
            "captions.csv", "\u{FEFF}sep=|\r\nimage|caption\r\na.png|x\r\ngone.png|y\r\n".utf8, CaptionFolder.tolerant)
        #expect(dataset.items.map(\.image) == ["a.png"] && dataset.skipped.map(\.line) == [4])
    }

    @Test func columnsOfAnUnknownNameAreListedApart() throws {
        let error = #expect(throws: ConcordError.self) { try files.read("captions.csv", "bild;text\na.png;x\n".utf8) }
        let message = try #require(error?.message)
        #expect(message.contains("Columns: bild, text") && message.contains("--image-column"))
    }

    @Test(arguments: [",,", "a", "\"", "", "\u{E9}"]) func whatCannotSeparateIsRefused(_ text: String) {
        let error = #expect(throws: ConcordError.self) { try CaptionFileOptions.separator(text) }
        #expect(error?.code == .invalidConfiguration)
    }

    @Test func marksOfJoinedFilesArePassedOver() throws {
        let lines = [1, 2].map { "\u{FEFF}{\"image\": \"a.png\", \"caption\": \"\($0)\"}\n" }.joined()
        let dataset = try files.read("captions.jsonl", lines.utf8)
        #expect(dataset.items[0].captions.map(\.text) == ["1", "2"] && dataset.skipped.isEmpty)
    }
}
