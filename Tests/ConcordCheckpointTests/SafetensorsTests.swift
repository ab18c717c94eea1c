import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Foundation
import Testing

/// Against files of the safetensors library (`scripts/golden/make_checkpoint.py`).
@Suite struct SafetensorsTests {
    private let folder = Golden.folder("checkpoint")

    @Test func readsEveryTypeOfTheReferenceLibrary() throws {
        let file = try SafetensorsFile(path: folder + "/all-types.safetensors")
        let expected = try Golden.json("checkpoint", "all-types.json")
        #expect(file.metadata == ["format": "pt"])
        #expect(file.entries.count == expected.members?.count)
        for member in expected.members ?? [] {
            let entry = try #require(file[member.name], "\(member.name)")
            #expect(entry.dtype.rawValue == member.value["dtype"]?.string, "\(member.name)")
            #expect(entry.shape == member.value["shape"]?.elements?.compactMap(\.int), "\(member.name)")
            let values = try file.withUnsafeBytes(of: entry) { Golden.values($0, entry.dtype) }
            // Bits, so that the sign of a zero and infinities count.
            let wanted = try #require(member.value["values"]?.elements).map { Double($0.string ?? "") }
            #expect(values.map(\.bitPattern) == wanted.map { ($0 ?? .nan).bitPattern }, "\(member.name)")
        }
        #expect(file["none"] == nil)
    }

    @Test(arguments: ["all-types.safetensors", "no-metadata.safetensors"])
    func writesTheSameBytesAsTheReferenceLibrary(_ name: String) throws {
        let original = try SafetensorsFile(path: folder + "/" + name)
        // Reversed, because the order given must not matter; in two chunks, because a device may give several.
        let tensors = original.entries.reversed().map { entry in
            SafetensorsTensor(entry.name, entry.dtype, entry.shape) { sink in
                try original.withUnsafeBytes(of: entry) { bytes in
                    let half = bytes.count / 2
                    try sink(UnsafeRawBufferPointer(rebasing: bytes[..<half]))
                    try sink(UnsafeRawBufferPointer(rebasing: bytes[half...]))
                }
            }
        }
        try withTemporaryFolder { temporary in
            let copy = temporary + "/copy.safetensors"
            try SafetensorsWriter.write(to: copy, tensors: tensors, metadata: original.metadata)
            #expect(try Files.read(copy) == Files.read(folder + "/" + name))
        }
    }

    @Test func keepsMetadataAndNamesThatAreCanonicallyEquivalent() throws {
        try withTemporaryFolder { temporary in
            let path = temporary + "/m.safetensors"
            try SafetensorsWriter.write(
                to: path,
                tensors: [
                    .init("\u{E9}", .float32, [1], values: [1 as Float]),
                    .init("e\u{301}", .float32, [1], values: [2 as Float]),
                ],
                metadata: ["b": "2 \"q\"", "a": "1"])
            let file = try SafetensorsFile(path: path)
            #expect(file.metadata == ["a": "1", "b": "2 \"q\""])
            let entries = try [#require(file["\u{E9}"]), #require(file["e\u{301}"])]
            let values = try entries.map { entry in try file.withUnsafeBytes(of: entry) { $0.load(as: Float.self) } }
            #expect(values == [1, 2])
        }
    }

    @Test func writesAFileWithoutTensors() throws {
        try withTemporaryFolder { temporary in
            let path = temporary + "/empty.safetensors"
            try SafetensorsWriter.write(to: path, tensors: [], metadata: [:])
            #expect(try Files.read(path) == [8, 0, 0, 0, 0, 0, 0, 0] + Array("{}      ".utf8))
            #expect(try SafetensorsFile(path: path).entries.isEmpty)
        }
    }

    /// A tensor as the header of a test file describes it.
    private static func tensor(
        _ name: String = "a", _ dtype: String = "F32", _ shape: String = "[2]", _ offsets: String = "[0,8]"
    ) -> String {
        #""\#(name)":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}"#
    }

    /// What is wrong, the header, the bytes of data, and a part of the message.
    static let malformed: [(String, String, Int, String)] = [
        ("not JSON", "{", 0, "not valid JSON"),
        ("an array", "[]", 0, "does not begin with a brace"),
        ("leading space", " {}", 0, "does not begin with a brace"),
        ("text behind", "{} {}", 0, "text after"),
        ("truncated data", "{\(tensor())}", 7, "is truncated: 69 bytes are there, and its header describes 70"),
        ("trailing bytes", "{\(tensor())}", 9, "1 bytes follow the last tensor"),
        ("data without tensors", "{}", 4, "4 bytes follow"),
        ("overlap", "{\(tensor()),\(tensor("b", "F32", "[2]", "[4,12]"))}", 12, "`b` overlaps"),
        ("same range twice", "{\(tensor()),\(tensor("b"))}", 8, "overlaps"),
        ("hole", "{\(tensor()),\(tensor("b", "F32", "[2]", "[12,20]"))}", 20, "`b` leaves a hole"),
        ("hole in front", "{\(tensor("a", "F32", "[2]", "[4,12]"))}", 12, "leaves a hole"),
        ("unknown dtype beyond the data", "{\(tensor("a", "Q7"))}", 7, "truncated"),
        ("unknown dtype that overlaps", "{\(tensor()),\(tensor("b", "Q7", "[2]", "[4,12]"))}", 12, "`b` overlaps"),
        (
            "two of an unknown dtype", "{\(tensor("a", "Q7")),\(tensor("a", "Q7", "[2]", "[8,16]"))}", 16,
            "appears twice"
        ),
        ("known and unknown dtype", "{\(tensor("a")),\(tensor("a", "Q7", "[2]", "[8,16]"))}", 16, "appears twice"),
        ("dtype of another kind", #"{"a":{"dtype":32,"shape":[2],"data_offsets":[0,8]}}"#, 8, "not a string"),
        ("negative size", "{\(tensor("a", "F32", "[-2]"))}", 8, "`shape`"),
        ("two negative sizes", "{\(tensor("a", "F32", "[-2,-1]"))}", 8, "`shape`"),
        ("fractional size", "{\(tensor("a", "F32", "[2.0]"))}", 8, "`shape`"),
        ("shape of strings", "{\(tensor("a", "F32", "[\"2\"]"))}", 8, "`shape`"),
        ("shape missing", #"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, 8, "has no `shape`"),
        ("shape null", "{\(tensor("a", "F32", "null"))}", 8, "`shape`"),
        ("overflow", "{\(tensor("a", "F32", "[4294967296,4294967296]"))}", 8, "overflows"),
        ("overflow by the element size", "{\(tensor("a", "F64", "[2305843009213693952]"))}", 8, "overflows"),
        ("size above 64 bits", "{\(tensor("a", "F32", "[99999999999999999999]"))}", 8, "`shape`"),
        ("shape and range disagree", "{\(tensor("a", "F32", "[3]"))}", 8, "takes 12"),
        ("range reversed", "{\(tensor("a", "F32", "[2]", "[8,0]"))}", 8, "not a begin and an end"),
        ("range negative", "{\(tensor("a", "F32", "[2]", "[-8,0]"))}", 8, "`data_offsets`"),
        ("range of one", "{\(tensor("a", "F32", "[2]", "[8]"))}", 8, "not a begin and an end"),
        (
            "range beyond 64 bits", "{\(tensor("a", "F32", "[2]", "[9223372036854775800,9223372036854775807]"))}", 8,
            "which no file has"
        ),
        ("duplicate tensor", "{\(tensor()),\(tensor("a", "F32", "[2]", "[8,16]"))}", 16, "`a` appears twice"),
        (
            "duplicate tensor without elements",
            "{\(tensor("a", "F32", "[0]", "[0,0]")),\(tensor("a", "F32", "[0]", "[0,0]"))}", 0, "twice"
        ),
        (
            "duplicate field", #"{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}"#, 8,
            "`dtype` twice"
        ),
        ("tensor not an object", #"{"a":3}"#, 0, "not described by an object"),
        ("metadata of numbers", #"{"__metadata__":{"x":1}}"#, 0, "not a string"),
        ("metadata not an object", #"{"__metadata__":"x"}"#, 0, "one object"),
        ("metadata twice", #"{"__metadata__":{"x":"1"},"__metadata__":{"x":"2"}}"#, 0, "one object"),
    ]

    @Test(arguments: malformed)
    func refusesMalformed(_ name: String, _ header: String, _ dataCount: Int, _ message: String) throws {
        let bytes = Array(header.utf8)
        let length = withUnsafeBytes(of: UInt64(bytes.count).littleEndian, Array.init)
        try expectRefusal(length + bytes + [UInt8](repeating: 0, count: dataCount), message)
    }

    /// What is wrong, the bytes of the whole file, and a part of the message.
    static let malformedBytes: [(String, [UInt8], String)] = [
        ("empty", [], "is empty"),
        ("shorter than the length", [1, 0, 0], "fewer than the eight"),
        ("no header", [0, 0, 0, 0, 0, 0, 0, 0], "does not begin with a brace"),
        (
            "header cut off", [10, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D],
            "is truncated within its header: 10 bytes are there"
        ),
        ("huge length", [UInt8](repeating: 255, count: 8) + [0x7B, 0x7D], "more than the 100000000 allowed"),
        ("negative as a signed number", [0, 0, 0, 0, 0, 0, 0, 128, 0x7B, 0x7D], "more than the 100000000 allowed"),
        ("not UTF-8", [7, 0, 0, 0, 0, 0, 0, 0] + Array(#"{""#.utf8) + [0xFF] + Array(#"":1}"#.utf8), "not UTF-8"),
        (
            "a pickle in a zip", Array("PK\u{3}\u{4}archive/data.pkl".utf8),
            "is a zip archive, such as torch.save writes"
        ),
        ("an LFS pointer", Array("version https://git-lfs.github.com/spec/v1\nsize 9\n".utf8), "is a Git LFS pointer"),
        ("a page", Array("<!doctype html><html><body>Log in</body></html>".utf8), "is an HTML page"),
        ("zeros", [UInt8](repeating: 0, count: 4096), "begins with zeros"),
        ("an answer", Array("Repository not found\n".utf8), "begins with the text `Repository not found`"),
    ]

    @Test(arguments: malformedBytes)
    func refusesMalformedBytes(_ name: String, _ bytes: [UInt8], _ message: String) throws {
        try expectRefusal(bytes, message)
    }

    private func expectRefusal(_ bytes: [UInt8], _ message: String) throws {
        try withTemporaryFolder { temporary in
            let path = temporary + "/bad.safetensors"
            try Files.replace(path, with: bytes)
            let error = #expect(throws: ConcordError.self) { try SafetensorsFile(path: path) }
            #expect(error?.code == .invalidCheckpoint)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
            #expect(error?.message.contains(path) == true)
        }
    }

    /// Tensors of types that the tensor engine lacks are listed; who needs one refuses it.
    @Test func listsWhatItCannotRead() throws {
        try withTemporaryFolder { folder in
            let header = "{\(Self.tensor()),\(Self.tensor("b", "F8_E4M3", "[2,3]", "[8,14]"))}"
            let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init)
            try Files.replace(
                folder + "/model.safetensors", with: length + Array(header.utf8) + [UInt8](repeating: 0, count: 14))
            let file = try SafetensorsFile(path: folder + "/model.safetensors")
            #expect(file.entries.map(\.name) == ["a"])
            #expect(file.unreadable.map(\.name) == ["b"] && file.unreadable[0].dtypeName == "F8_E4M3")
            #expect(file.unreadable[0].shape == [2, 3] && file.unreadable[0].byteRange.count == 6)
            // An index may name it.
            try Files.replace(
                folder + "/model.safetensors.index.json",
                with: #"{"weight_map": {"a": "model.safetensors", "b": "model.safetensors"}}"#)
            let reader = try CheckpointReader(path: folder + "/model.safetensors.index.json")
            #expect(reader.unreadable.map(\.name) == ["b"] && reader.unreadable[0].dtypeName == "F8_E4M3")
        }
    }

    @Test func refusesEveryTruncationOfARealFile() throws {
        let bytes = try Files.read(folder + "/all-types.safetensors")
        try withTemporaryFolder { temporary in
            for count in 0..<bytes.count {
                try Files.replace(temporary + "/cut.safetensors", with: Array(bytes[..<count]))
                #expect(throws: ConcordError.self, "\(count) bytes") {
                    try SafetensorsFile(path: temporary + "/cut.safetensors")
                }
            }
        }
    }

    /// A mapping would end the process where the file is cut off, and show what is written over it.
    @Test func aFileThatChangesWhileItIsOpenIsNamed() throws {
        try withTemporaryFolder { temporary in
            let path = temporary + "/m.safetensors", values = [Float](repeating: 1, count: 1 << 16)
            let tensors = ["a", "b"].map { SafetensorsTensor($0, .float32, [1 << 16], values: values) }
            func changed(_ change: () throws -> Void) throws -> ConcordError? {
                try SafetensorsWriter.write(to: path, tensors: tensors)
                let file = try SafetensorsFile(path: path)
                let entry = try #require(file["b"])
                try change()
                return #expect(throws: ConcordError.self) {
                    try file.withUnsafeBytes(of: entry) { _ in Issue.record("it was read") }
                }
            }
            let cut = try changed { #expect(truncate(path, 1 << 12) == 0) }
            #expect(cut?.code == .fileSystem && cut?.message.contains("\(path) was changed") == true)
            let written = try changed {
                let handle = try #require(FileHandle(forWritingAtPath: path))
                try handle.write(contentsOf: Files.read(path).map { $0 ^ 1 })
                try handle.close()
            }
            #expect(written?.message.contains("replace files by a rename") == true)
            // A replacement leaves the file that is open as it was.
            try SafetensorsWriter.write(to: path, tensors: tensors)
            let file = try SafetensorsFile(path: path)
            try SafetensorsWriter.write(to: path, tensors: [SafetensorsTensor("a", .bool, [1], values: [true])])
            let entry = try #require(file["b"])
            try file.withUnsafeBytes(of: entry) { bytes in
                #expect(bytes.count == 1 << 18 && bytes.load(as: Float.self) == 1)
            }
        }
    }

    /// A tensor that can be neither described nor written: its name, type, shape, and the bytes that it produces.
    private struct Wrong { let name: String, dtype: DType, shape: [Int], byteCount: Int }

    private static let unwritable: [(case: String, tensors: [Wrong], message: String)] = [
        ("two of one name", [("a", .bool, [0], 0), ("a", .int32, [0], 0)].map(Wrong.init), "two tensors"),
        ("the reserved name", [Wrong(name: "__metadata__", dtype: .bool, shape: [0], byteCount: 0)], "two tensors"),
        ("a negative shape", [Wrong(name: "a", dtype: .bool, shape: [-1], byteCount: 0)], "impossible shape [-1]"),
        ("an overflow", [Wrong(name: "a", dtype: .bool, shape: [1 << 62, 4], byteCount: 0)], "impossible shape"),
        (
            "an overflow in all", [("a", .bool, [1 << 62], 0), ("b", .bool, [1 << 62], 0)].map(Wrong.init),
            "`b` has the impossible shape"
        ),
        ("too few bytes", [Wrong(name: "a", dtype: .int32, shape: [2], byteCount: 4)], "produced 4 bytes"),
        ("too many bytes", [Wrong(name: "a", dtype: .int32, shape: [2], byteCount: 12)], "produced 12 bytes"),
    ]

    @Test(arguments: unwritable.map(\.case))
    func refusesToWrite(_ name: String) throws {
        let (_, wrong, message) = try #require(Self.unwritable.first { $0.case == name })
        let tensors = wrong.map {
            SafetensorsTensor($0.name, $0.dtype, $0.shape, values: [UInt8](repeating: 0, count: $0.byteCount))
        }
        try withTemporaryFolder { temporary in
            let path = temporary + "/m.safetensors"
            try Files.replace(path, with: "old")
            let error = #expect(throws: ConcordError.self) { try SafetensorsWriter.write(to: path, tensors: tensors) }
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
            #expect(try Files.read(path) == Array("old".utf8))
            #expect(try FileManager.default.contentsOfDirectory(atPath: temporary) == ["m.safetensors"])
        }
    }

    /// A write that fails in the middle, as on a full disk: the limit on file sizes makes `write` fail there.
    @Test func aFullDiskLeavesTheOldCheckpoint() async {
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            try withTemporaryFolder { temporary in
                let path = temporary + "/model.safetensors"
                let small = SafetensorsTensor("a", .float32, [2], values: [1, 2] as [Float])
                try SafetensorsWriter.write(to: path, tensors: [small])
                let old = try Files.read(path)

                var limit = rlimit()
                getrlimit(fileSizeLimit, &limit)
                let ample = limit.rlim_cur
                limit.rlim_cur = 1 << 16
                setrlimit(fileSizeLimit, &limit)
                let large = SafetensorsTensor("a", .float32, [1 << 16], values: [Float](repeating: 3, count: 1 << 16))
                let error = #expect(throws: ConcordError.self) {
                    try SafetensorsWriter.write(to: path, tensors: [large])
                }
                #expect(error?.code == .fileSystem)
                #expect(try Files.read(path) == old)
                #expect(try FileManager.default.contentsOfDirectory(atPath: temporary) == ["model.safetensors"])
                // With room again, the same call succeeds.
                limit.rlim_cur = ample
                setrlimit(fileSizeLimit, &limit)
                try SafetensorsWriter.write(to: path, tensors: [large])
                #expect(try SafetensorsFile(path: path)["a"]?.shape == [1 << 16])
            }
        }
    }
}

#if canImport(Glibc)
    /// An enumeration in glibc's headers, an integer on other systems.
    private let fileSizeLimit = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
#else
    private let fileSizeLimit = RLIMIT_FSIZE
#endif
