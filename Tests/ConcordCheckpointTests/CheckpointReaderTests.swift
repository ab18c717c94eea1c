import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Testing

@Suite struct CheckpointReaderTests {
    @Test func readsTheShardsOfTransformers() throws {
        let checkpoint = try CheckpointReader(path: Golden.folder("checkpoint") + "/tiny-clip")
        let expected = try #require(try Golden.json("checkpoint", "tiny-clip-keys.json").members)
        #expect(checkpoint.files.count == 2)
        #expect(checkpoint.tensors.count == expected.count)
        for member in expected {
            let tensor = try #require(checkpoint[member.name], "\(member.name)")
            #expect(tensor.entry.shape == member.value["shape"]?.elements?.compactMap(\.int))
            let sum = try tensor.file.withUnsafeBytes(of: tensor.entry) {
                Golden.values($0, tensor.entry.dtype).reduce(0, +)
            }
            expectClose([sum], [member.value["sum"]?.double ?? .nan], absolute: 1e-12, member.name)
        }
        #expect(checkpoint.metadata == ["format": "pt"])
    }

    private func write(_ path: String, _ names: String...) throws {
        try SafetensorsWriter.write(to: path, tensors: names.map { .init($0, .uint8, [1], values: [UInt8(1)]) })
    }

    @Test func readsOneFileOrItsFolder() throws {
        try withTemporaryFolder { folder in
            try write(folder + "/model.safetensors", "a", "b")
            try write(folder + "/other.safetensors", "c")
            #expect(try CheckpointReader(path: folder).tensors.map(\.name) == ["a", "b"])
            #expect(try CheckpointReader(path: folder + "/other.safetensors").tensors.map(\.name) == ["c"])
        }
    }

    /// What is wrong, the index, and a part of the message; the shards hold `a` and `b`.
    @Test(arguments: [
        ("no map", "{}", "weight_map"),
        ("empty map", #"{"weight_map": {}}"#, "weight_map"),
        ("not JSON", "{", "not valid JSON"),
        ("a path out of the folder", #"{"weight_map": {"a": "../x.safetensors"}}"#, "plain name"),
        ("an absolute path", #"{"weight_map": {"a": "/x.safetensors"}}"#, "plain name"),
        ("a pickle", #"{"weight_map": {"a": "x.bin"}}"#, "plain name"),
        ("a number", #"{"weight_map": {"a": 1}}"#, "plain name"),
        ("a shard that is not there", #"{"weight_map": {"a": "gone.safetensors"}}"#, "gone.safetensors"),
        ("a tensor that is not there", #"{"weight_map": {"a": "1.safetensors", "z": "1.safetensors"}}"#, "`z`"),
        ("a tensor in another shard", #"{"weight_map": {"a": "2.safetensors", "b": "1.safetensors"}}"#, "2 tensors"),
        (
            "a tensor in two shards", #"{"weight_map": {"a": "1.safetensors", "b": "3.safetensors"}}"#,
            "tensor `a` is in"
        ),
    ])
    func refusesABadIndex(_ name: String, _ index: String, _ message: String) throws {
        try withTemporaryFolder { folder in
            try write(folder + "/1.safetensors", "a")
            try write(folder + "/2.safetensors", "b")
            try write(folder + "/3.safetensors", "a", "b")
            try Files.replace(folder + "/model.safetensors.index.json", with: index)
            let error = #expect(throws: ConcordError.self) { try CheckpointReader(path: folder) }
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
    }

    @Test(arguments: ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt"])
    func refusesPicklesWithTheCommandThatConverts(_ name: String) throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/" + name, with: "x")
            let error = #expect(throws: ConcordError.self) { try CheckpointReader(path: folder + "/" + name) }
            #expect(error?.code == .invalidCheckpoint)
            #expect(error?.message.contains("save_file") == true)
            #expect(error?.message.contains("\(folder)/\(name) \(folder)/model.safetensors") == true)
        }
    }

    @Test func refusesAFolderWithPicklesOnlyOrNothing() throws {
        try withTemporaryFolder { folder in
            let nothing = #expect(throws: ConcordError.self) { try CheckpointReader(path: folder) }
            #expect(nothing?.message.contains("holds no weights") == true)
            try Files.replace(folder + "/open_clip_pytorch_model.bin", with: "x")
            let pickle = #expect(throws: ConcordError.self) { try CheckpointReader(path: folder) }
            #expect(pickle?.message.contains("save_file") == true)
            let missing = #expect(throws: ConcordError.self) { try CheckpointReader(path: folder + "/none") }
            #expect(missing?.code == .fileSystem)
        }
    }
}
