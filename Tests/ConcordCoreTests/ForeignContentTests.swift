import ConcordCore
import ConcordTestSupport
import Testing

/// Files that hold something else than they should, by the usual accidents.
@Suite struct ForeignContentTests {
    static let pointer = """
        version https://git-lfs.github.com/spec/v1
        oid sha256:a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f
        size 605157884

        """

    @Test(arguments: [
        (Array(pointer.utf8), "is a Git LFS pointer to a file of 605.2 MB"),
        (Array("version https://git-lfs.github.com/spec/v1".utf8), "is a Git LFS pointer, not"),
        (Array("<!DOCTYPE html><html>".utf8), "is an HTML page"),
        (Array(" \n<HTML lang=\"en\">".utf8), "is an HTML page"),
        ([0xEF, 0xBB, 0xBF] + Array("<html>".utf8), "is an HTML page"),
        (Array("<?xml version=\"1.0\"?><Error>".utf8), "is an XML document"),
        ([0xFF, 0xFE, 0x7B, 0x00], "is text in UTF-16"), ([0x1F, 0x8B, 0x08], "is compressed by gzip"),
        (Array("PK\u{3}\u{4}archive/data.pkl".utf8), "is a zip archive, such as torch.save writes"),
        ([UInt8](repeating: 0, count: 100), "begins with zeros"), ([], "is empty"),
    ])
    func isNamed(_ bytes: [UInt8], _ name: String) throws {
        let found = ForeignContent.name(bytes)
        #expect(found?.hasPrefix(name) == true, "\(found ?? "nothing")")
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/config.json", with: bytes)
            let error = #expect(throws: ConcordError.self) { try JSONValue(contentsOf: folder + "/config.json") }
            #expect(error?.code == .malformedText)
            #expect(error?.message.hasPrefix("\(folder)/config.json \(name)") == true, "\(error?.message ?? "")")
        }
    }

    @Test(arguments: [
        Array("{}".utf8), Array("[PAD]\n".utf8), Array("#version: 0.2\n".utf8), [8, 0, 0, 0, 0, 0, 0, 0, 0x7B],
        Array("<pad>\n<eos>".utf8), Array("version 1".utf8), [UInt8](repeating: 0, count: 8),
    ])
    func whatMayBeRightIsNotNamed(_ bytes: [UInt8]) { #expect(ForeignContent.name(bytes) == nil) }

    @Test func aFileWithAMarkIsRead() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/a.json", with: [0xEF, 0xBB, 0xBF] + Array("{\"a\": NaN}".utf8))
            #expect(try JSONValue(contentsOf: folder + "/a.json", nonFiniteNumbers: true)["a"]?.double?.isNaN == true)
            let error = #expect(throws: ConcordError.self) { try JSONValue(contentsOf: folder + "/a.json") }
            #expect(error?.message.contains("`NaN` as the value of `a`") == true)
        }
    }
}
