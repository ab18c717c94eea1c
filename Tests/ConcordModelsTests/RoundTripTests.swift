import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

/// What was loaded is saved as it was, and conversion there and back is the identity, bit for bit.
@Suite struct RoundTripTests {
    static let folders = GoldenFolder.dualEncoders + GoldenFolder.sentenceEncoders

    /// Pairs of folders with the same weights, saved by two peers.
    static let pairs = [("huggingface-clip-gelu", "open-clip"), ("siglip", "open-clip-siglip")]

    /// The bytes of the one file of a checkpoint.
    private static func bytes(_ path: String) throws -> [UInt8] {
        try Files.read(CheckpointReader(path: path).files[0].file.path)
    }

    @Test(arguments: folders) func savedAgainIsTheSameFile(_ name: String) throws {
        let golden = try GoldenFolder(name)
        try withTemporaryFolder { folder in
            let file = folder + "/model.safetensors"
            try golden.store(dtype: nil).save(to: file, layout: golden.layout, metadata: golden.reader.metadata)
            #expect(try Self.bytes(file) == Self.bytes(golden.weights))
        }
    }

    @Test(arguments: pairs) func convertedIsWhatTheOtherPeerSaves(_ pair: (String, String)) throws {
        let one = try GoldenFolder(pair.0), other = try GoldenFolder(pair.1)
        for (from, to) in [(one, other), (other, one)] {
            try withTemporaryFolder { folder in
                let file = folder + "/model.safetensors"
                try from.dualEncoder(dtype: nil).store.save(
                    to: file, layout: to.layout, metadata: to.reader.metadata)
                #expect(try Self.bytes(file) == Self.bytes(to.weights), "\(from.name) as \(to.name)")
            }
        }
    }

    /// Every dual encoder that both formats can hold goes to the other and back.
    @Test(
        arguments: [
            "huggingface-clip", "open-clip", "open-clip-quickgelu-custom-text", "open-clip-eos", "siglip",
            "vision-text-dual-encoder",
        ], [DType.float32, .float16, .bfloat16])
    func conversionKeepsNamesTypesAndBits(_ name: String, _ dtype: DType) throws {
        let golden = try GoldenFolder(name), configuration = try golden.configuration
        let layouts = [CheckpointLayout.huggingFace(configuration), .openCLIP(configuration), golden.layout]
        try withTemporaryFolder { folder in
            let first = folder + "/0.safetensors"
            try golden.dualEncoder(dtype: dtype).store.save(to: first, layout: golden.layout)
            var file = first, layout = golden.layout
            for (index, next) in layouts.enumerated() {
                let model = try golden.dualEncoder(dtype: nil, from: file, layout: layout)
                file = folder + "/\(index + 1).safetensors"
                layout = next
                try model.store.save(to: file, layout: layout)
                let saved = try CheckpointReader(path: file).tensors
                #expect(saved.allSatisfy { $0.entry.dtype == dtype })
            }
            #expect(try Self.bytes(file) == Self.bytes(first))
        }
    }
}
