import ConcordCore
import ConcordMedia
import ConcordRuntime
import ConcordTestSupport
import ConcordText
import Foundation
import Testing

@Suite struct ExportedCaptionTests {
    /// The plain loops as a session: every read computes whole texts anew.
    private final class PlainSession: DecodingSession {
        let vocabularySize: Int
        let contextLength = TinyArtifact.contextLength
        let startToken, endToken: Int32
        let padToken: Int32?
        var rowCount: Int { rows.count }
        private let reference: TinyReference
        private var rows: [(picture: PreparedImage, tokens: [Int32])]

        init(_ artifact: TinyArtifact, _ pictures: [PreparedImage]) {
            vocabularySize = artifact.vocabularySize
            (startToken, endToken, padToken) = (artifact.startToken, artifact.endToken, Int32(artifact.padToken))
            reference = TinyReference(artifact)
            rows = pictures.map { ($0, []) }
        }

        func select(rows selected: [Int]) throws(ConcordError) { rows = selected.map { rows[$0] } }

        func read(
            _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
        ) throws(ConcordError) {
            let count = tokens.count / rows.count
            for row in rows.indices { rows[row].tokens += tokens[row * count..<(row + 1) * count] }
            let logits = rows.flatMap { reference.logits($0.picture, $0.tokens) }
            let result = logits.withUnsafeBufferPointer { buffer in
                Result { () throws(ConcordError) in try body(.float64(buffer)) }
            }
            try result.get()
        }
    }

    private func withModel(_ body: (TinyArtifact, ExportedModel) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let artifact = try TinyArtifact.write(.coca, to: folder)
            let options = ExportedModelOptions(session: OnnxSessionOptions(threadsPerRun: 1))
            try body(artifact, try ExportedModel(folder: folder, options: options))
        }
    }

    private func logits(_ session: any DecodingSession, _ tokens: [Int32]) throws -> [Float] {
        var found: [Float] = []
        try session.read(tokens) { logits throws(ConcordError) in
            guard case .float32(let values) = logits else { throw ConcordError(.dtypeMismatch, "not float32") }
            found = Array(values)
        }
        return found
    }

    @Test func readsWhatThePlainLoopsRead() throws {
        try withModel { artifact, model in
            let reference = TinyReference(artifact), pictures = ExportedModelTests.pictures(3)
            let session = try model.makeCaptionSession(for: pictures)
            #expect(session.vocabularySize == artifact.vocabularySize)
            #expect(session.contextLength == TinyArtifact.contextLength)
            #expect(session.startToken == artifact.startToken && session.endToken == artifact.endToken)
            #expect(session.padToken == 0)
            var rows = pictures.map { (picture: $0, tokens: [Int32]()) }
            func read(_ count: Int, seed: UInt64) throws {
                var random = RandomSource(seed: seed)
                let tokens = (0..<rows.count * count).map { _ in Int32(random.index(below: artifact.vocabularySize)) }
                for row in rows.indices { rows[row].tokens += tokens[row * count..<(row + 1) * count] }
                let expected = rows.flatMap { reference.logits($0.picture, $0.tokens) }
                expectClose(try logits(session, tokens), expected, absolute: 1e-4, relative: 2e-5, "read \(seed)")
            }
            func select(_ selected: [Int]) throws {
                try session.select(rows: selected)
                rows = selected.map { rows[$0] }
                #expect(session.rowCount == rows.count)
            }
            // Before the first read, too; a prompt of several tokens; then single ones, and several again.
            try select([0, 2, 2])
            try read(3, seed: 1)
            try read(1, seed: 2)
            // Beams of one picture change places: what is kept of the picture stays, past tokens move.
            try select([0, 2, 1])
            try read(1, seed: 3)
            try select([2, 2, 0, 1, 0])
            try read(2, seed: 4)
            // Another picture's rows leave; others take their place.
            try select([4])
            try read(1, seed: 5)
            try select([0, 0])
            try read(1, seed: 6)
        }
    }

    @Test(arguments: [
        GenerationOptions(maxTokens: 12),
        GenerationOptions(strategy: .sample(temperature: 1.5, topK: 40, seed: 3), maxTokens: 10, resultCount: 3),
        GenerationOptions(strategy: .beam(width: 4), maxTokens: 10, resultCount: 2),
        GenerationOptions(strategy: .beam(width: 4, groups: 2, diversityPenalty: 0.5), maxTokens: 8, resultCount: 2),
    ]) func writesWhatThePlainLoopsWrite(_ options: GenerationOptions) throws {
        try withModel { artifact, model in
            let pictures = ExportedModelTests.pictures(4)
            let prompt = try model.prepare(prompt: "a red apple")
            let requests = pictures.indices.map { index in
                GenerationRequest(prompt: index == 2 ? prompt : nil, options: options)
            }
            func run(_ session: any DecodingSession) throws -> [[GeneratedTokens]] {
                try TokenGenerator(session, requests: requests).run()
            }
            let found = try run(model.makeCaptionSession(for: pictures))
            let expected = try run(PlainSession(artifact, pictures))
            #expect(found.map { $0.map(\.tokens) } == expected.map { $0.map(\.tokens) })
            // Alone as among others.
            for (index, request) in requests.enumerated() {
                let alone = try TokenGenerator(model.makeCaptionSession(for: [pictures[index]]), requests: [request])
                    .run()
                #expect(alone[0].map(\.tokens) == found[index].map(\.tokens))
            }
        }
    }

    /// Padding of one run of the image tower is no picture of the next one.
    @Test(arguments: [[4], [3, 5], [32]]) func picturesKeepTheirPlacesInPaddedRuns(_ buckets: [Int]) throws {
        try withModel { artifact, model in
            let padded = try ExportedModel(
                folder: artifact.folder, options: ExportedModelOptions(batchBuckets: buckets))
            for count in [1, 6, 7] {
                let pictures = ExportedModelTests.pictures(count)
                let starts = Array(repeating: artifact.startToken, count: count)
                let expected = try logits(model.makeCaptionSession(for: pictures), starts)
                expectClose(try logits(padded.makeCaptionSession(for: pictures), starts), expected, absolute: 1e-4)
            }
        }
    }

    @Test func greedyCaptionsAreTheLikeliestTokens() throws {
        try withModel { artifact, model in
            let reference = TinyReference(artifact)
            let canary = PreparedImage.canary(size: TinyArtifact.imageSize)
            #expect(artifact.manifest.canary.caption == reference.caption(canary, maxTokens: 8))
            #expect(artifact.manifest.canary.caption?.isEmpty == false)
        }
    }

    @Test func captionsFilesInOneCall() throws {
        try withModel { artifact, model in
            let reference = TinyReference(artifact), path = artifact.folder + "/picture.png"
            var random = RandomSource(seed: 4)
            let picture = Image(
                width: 24, height: 18, pixels: (0..<3 * 24 * 18).map { _ in UInt8(random.index(below: 256)) })
            try picture.write(to: path, as: .png)
            let prepared = try model.prepare(imageAt: path)
            #expect(prepared.pixels == model.preprocessing?(picture))
            // As many tokens as the context has room for.
            let caption = try model.caption(imageAt: path)
            #expect(caption.tokens.tokens == reference.caption(prepared, maxTokens: TinyArtifact.contextLength - 1))
            #expect(caption.text == model.tokenizer.decode(caption.tokens.tokens))
            let start = try model.prepare(prompt: "a red apple")
            let prompted = try model.caption(imageAt: path, prompt: "a red apple")
            #expect(prompted.text == model.tokenizer.decode(start + prompted.tokens.tokens))
            #expect(prompted.text.hasPrefix("a red apple"))
            // Together as alone, in their order.
            let pictures = ExportedModelTests.pictures(3) + [prepared]
            let options = GenerationOptions(strategy: .beam(width: 3), maxTokens: 6, resultCount: 2)
            let together = try model.caption(images: pictures, options: options)
            #expect(together.map(\.count) == [2, 2, 2, 2])
            for (picture, captions) in zip(pictures, together) {
                let alone = try model.caption(images: [picture], options: options)
                #expect(captions.map(\.tokens.tokens) == alone[0].map(\.tokens.tokens))
            }
            #expect(try model.caption(images: []).isEmpty)
        }
    }

    @Test func refusesFilesThatItCannotCaption() throws {
        try withModel { artifact, model in
            func code(_ body: () throws -> Void) throws -> ConcordError.Code {
                try #require(throws: ConcordError.self) { try body() }.code
            }
            let path = artifact.folder + "/picture.png"
            #expect(try code { _ = try model.caption(imageAt: path) } == .fileSystem)
            try Files.replace(path, with: "not a picture")
            #expect(try code { _ = try model.caption(imageAt: path) } == .invalidImage)
            try Image(width: 2, height: 2, pixels: Array(repeating: 7, count: 12)).write(to: path, as: .png)
            #expect(try code { _ = try model.caption(imageAt: path, prompt: "") } == .invalidArgument)
            let tooMany = GenerationOptions(maxTokens: TinyArtifact.contextLength)
            #expect(try code { _ = try model.caption(imageAt: path, options: tooMany) } == .invalidArgument)
            try withTemporaryFolder { folder in
                let clip = try ExportedModel(folder: TinyArtifact.write(.clip, to: folder).folder)
                #expect(try code { _ = try clip.caption(imageAt: path) } == .invalidConfiguration)
            }
        }
    }

    @Test func refusesReadsThatCannotBe() throws {
        try withModel { artifact, model in
            let session = try model.makeCaptionSession(for: ExportedModelTests.pictures(2))
            func code(_ body: () throws -> Void) throws -> ConcordError.Code {
                try #require(throws: ConcordError.self) { try body() }.code
            }
            #expect(try code { _ = try logits(session, []) } == .invalidArgument)
            #expect(try code { _ = try logits(session, [1, 2, 3]) } == .invalidArgument)
            #expect(try code { try session.select(rows: [0, 2]) } == .invalidArgument)
            _ = try logits(session, Array(repeating: 1, count: 2 * TinyArtifact.contextLength))
            #expect(try code { _ = try logits(session, [1, 1]) } == .invalidArgument)
            #expect(try code { try session.select(rows: [-1]) } == .invalidArgument)
            // What the body throws comes through.
            let other = try model.makeCaptionSession(for: ExportedModelTests.pictures(1))
            #expect(
                try code {
                    try other.read([1]) { _ throws(ConcordError) in throw ConcordError(.cancelled, "enough") }
                } == .cancelled)
        }
    }
}
