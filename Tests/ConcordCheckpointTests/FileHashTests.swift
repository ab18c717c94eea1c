import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Testing

@Suite struct FileHashTests {
    /// Examples of FIPS 180-4, and what `git hash-object` and `xxh128sum` say.
    @Test(arguments: [
        (FileHash.Algorithm.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (.gitBlob, "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (.gitBlob, "hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
        (.xxh128, "", "99aa06d3014798d86001c324468d497f"),
        (.xxh128, "abc", "06b05ab6733a618578af5f94892f3950"),
    ])
    func knownHashes(_ algorithm: FileHash.Algorithm, _ text: String, _ hash: String) throws {
        #expect(FileHash(algorithm, of: Array(text.utf8)).hexadecimal == hash)
        // Hubs announce no XXH128; their ETags of its length are other things.
        #expect(FileHash(announced: hash) == (algorithm == .xxh128 ? nil : FileHash(algorithm, of: Array(text.utf8))))
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/x", with: text)
            #expect(try FileHash(algorithm, ofFile: folder + "/x").hexadecimal == hash)
            #expect(throws: ConcordError.self) { try FileHash(algorithm, ofFile: folder + "/none") }
            #expect(throws: ConcordError.self) { try FileHash(algorithm, ofFile: folder) }
        }
    }

    @Test(arguments: [FileHash.Algorithm.sha256, .gitBlob, .xxh128], [0, 1, 1 << 20, 1 << 20 + 1, 3_000_001])
    func filesOfAnyLengthHashAsTheirBytes(_ algorithm: FileHash.Algorithm, _ count: Int) throws {
        try withTemporaryFolder { folder in
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
            try Files.replace(folder + "/x", with: bytes)
            #expect(try FileHash(algorithm, ofFile: folder + "/x") == FileHash(algorithm, of: bytes))
        }
    }

    @Test(arguments: [
        "", "e69de29b", "E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391", "../de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    ])
    func refusesWhatIsNoHash(_ text: String) { #expect(FileHash(announced: text) == nil) }
}
