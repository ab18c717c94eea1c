import ConcordCore
import ConcordServer
import ConcordTestSupport
import Foundation
import Testing

@Suite struct KeyTests {
    private func write(_ text: String, to folder: String) throws -> String {
        let path = folder + "/keys.json"
        try Files.replace(path, with: text)
        return path
    }

    @Test func `a key that was made is known with its scopes and limits, and others are not`() throws {
        try withTemporaryFolder { folder in
            let limits = CallerLimits(itemsPerSecond: 2.5, burst: 10, pixelsPerSecond: 1e6)
            let (key, entry) = APIKeys.makeKey(id: "shop", scopes: [.embed, .caption], limits: limits)
            let (other, second) = APIKeys.makeKey(id: "admin", scopes: [.admin])
            #expect(key != other && key.utf8.count > 40)
            #expect(!entry.contains(key))
            let keys = try APIKeys(path: write("[\(entry), \(second)]", to: folder))
            #expect(keys.entry(for: key) == APIKey(id: "shop", scopes: [.embed, .caption], limits: limits))
            #expect(keys.entry(for: other) == APIKey(id: "admin", scopes: [.admin]))
            for wrong in ["", String(key.dropLast()), key + "x", key.uppercased(), "concord-"] {
                #expect(keys.entry(for: wrong) == nil)
            }
        }
    }

    @Test func `comparison looks at all bytes`() {
        #expect(ConstantTime.equal([1, 2, 3], [1, 2, 3]))
        #expect(ConstantTime.equal([], []))
        let unequal: [([UInt8], [UInt8])] = [
            ([1, 2, 3], [1, 2, 4]), ([9, 2, 3], [1, 2, 3]), ([1, 2], [1, 2, 0]), ([], [0]),
        ]
        for (left, right) in unequal {
            #expect(!ConstantTime.equal(left, right))
            #expect(!ConstantTime.equal(right, left))
        }
    }

    @Test func `a changed file is read again, and a broken one changes nothing`() throws {
        try withTemporaryFolder { folder in
            let (first, entry) = APIKeys.makeKey(id: "a", scopes: [.embed])
            let (second, newEntry) = APIKeys.makeKey(id: "b", scopes: [.embed])
            let path = try write("[\(entry)]", to: folder)
            let keys = try APIKeys(path: path)
            #expect(keys.reloadIfChanged() == nil)
            _ = try write("[\(newEntry)", to: folder)
            #expect(keys.reloadIfChanged()?.code == .malformedText)
            // Told once, not every time that somebody looks.
            #expect(keys.reloadIfChanged() == nil)
            #expect(keys.entry(for: first)?.id == "a")
            _ = try write("[\(newEntry)]", to: folder)
            #expect(keys.reloadIfChanged() == nil)
            #expect(keys.entry(for: first) == nil)
            #expect(keys.entry(for: second)?.id == "b")
        }
    }

    @Test func `whatever takes the file's place, the keys stay`() throws {
        try withTemporaryFolder { folder in
            let (key, entry) = APIKeys.makeKey(id: "a", scopes: [.embed])
            let path = try write("[\(entry)]", to: folder)
            let keys = try APIKeys(path: path)
            let deep = String(repeating: "[", count: 100_000)
            for text in ["", "{}", "null", "[{}]", "[\(entry), \(entry)]", deep, "\u{0}", "[\(entry)] x"] {
                _ = try write(text, to: folder)
                #expect(keys.reloadIfChanged() != nil, "\(text.prefix(20))")
                #expect(keys.entry(for: key)?.id == "a")
            }
            try Files.replace(path, with: [0x5B, 0xFF, 0xFE, 0x5D])
            #expect(keys.reloadIfChanged() != nil)
            try Files.replace(path, with: [UInt8](repeating: 0x20, count: (16 << 20) + 1))
            #expect(keys.reloadIfChanged()?.code == .fileSystem)
            try FileManager.default.removeItem(atPath: path)
            // Told once, that it cannot be read.
            #expect(keys.reloadIfChanged() == nil)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            #expect(keys.reloadIfChanged() == nil)
            #expect(keys.entry(for: key)?.id == "a")
            try FileManager.default.removeItem(atPath: path)
            // No key at all is what an empty list says.
            _ = try write("[]", to: folder)
            #expect(keys.reloadIfChanged() == nil)
            #expect(keys.entry(for: key) == nil)
        }
    }

    private static let hash = "\"hash\": \"sha256:" + String(repeating: "0a", count: 32) + "\""

    @Test(arguments: [
        ("{}", "a list"),
        ("[3]", "must be an object"),
        ("[{\"id\": \"\", \(hash), \"scopes\": []}]", "`id`"),
        ("[{\"id\": \"a b\", \(hash), \"scopes\": []}]", "`id`"),
        ("[{\"id\": \"a\", \"hash\": \"sha256:00\", \"scopes\": []}]", "`hash`"),
        ("[{\"id\": \"a\", \"hash\": \"0a\", \"scopes\": []}]", "`hash`"),
        ("[{\"id\": \"a\", \(hash)}]", "`scopes`"),
        ("[{\"id\": \"a\", \(hash), \"scopes\": [\"all\"]}]", "known are: embed"),
        ("[{\"id\": \"a\", \(hash), \"scope\": []}]", "did you mean `scopes`"),
        ("[{\"id\": \"a\", \(hash), \"scopes\": [], \"scopes\": []}]", "twice"),
        ("[{\"id\": \"a\", \(hash), \"scopes\": [], \"limits\": {\"burst\": 0}}]", "`limits.burst`"),
        (
            "[{\"id\": \"a\", \(hash), \"scopes\": [], \"limits\": {\"items_per_second\": -1}}]",
            "`limits.items_per_second`"
        ),
        ("[{\"id\": \"a\", \(hash), \"scopes\": [], \"limits\": {\"items\": 1}}]", "`limits.items`"),
        (
            "[{\"id\": \"a\", \(hash), \"scopes\": []}, {\"id\": \"a\", \(hash), \"scopes\": []}]",
            "has the id `a` again"
        ),
    ]) func `a wrong entry is named`(_ text: String, _ part: String) throws {
        try withTemporaryFolder { folder in
            let path = try write(text, to: folder)
            let error = #expect(throws: ConcordError.self) { _ = try APIKeys(path: path) }
            #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
        }
    }
}
