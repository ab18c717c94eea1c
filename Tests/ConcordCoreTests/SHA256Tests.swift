import ConcordCore
import ConcordTestSupport
import Testing

@Suite struct SHA256Tests {
    /// Vectors of FIPS 180-4's examples and of NIST's validation suite.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
        (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func knownHashes(_ text: String, _ hash: String) {
        #expect(SHA256.hexadecimal(of: Array(text.utf8)) == hash)
    }

    @Test func piecesOfAnyLengthGiveTheSameHash() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var whole = SHA256()
        bytes.withUnsafeBytes { whole.update($0) }
        let expected = whole.finalize()
        for size in [1, 3, 55, 56, 63, 64, 65, 127, 999] {
            var hash = SHA256()
            bytes.withUnsafeBytes { buffer in
                for start in stride(from: 0, to: buffer.count, by: size) {
                    hash.update(UnsafeRawBufferPointer(rebasing: buffer[start..<min(start + size, buffer.count)]))
                }
            }
            #expect(hash.finalize() == expected, "pieces of \(size)")
        }
    }

    @Test func hashesFiles() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/x", with: "abc")
            #expect(try SHA256.hexadecimal(ofFile: folder + "/x").hasPrefix("ba7816bf"))
            try Files.replace(folder + "/x", with: "")
            #expect(try SHA256.hexadecimal(ofFile: folder + "/x").hasPrefix("e3b0c442"))
            #expect(throws: ConcordError.self) { try SHA256.hexadecimal(ofFile: folder + "/none") }
        }
    }
}
