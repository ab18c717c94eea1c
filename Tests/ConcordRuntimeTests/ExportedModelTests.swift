import ConcordCore
import ConcordMedia
import ConcordRuntime
import ConcordTestSupport
import ConcordText
import Foundation
import Synchronization
import Testing

@Suite struct ExportedModelTests {
    private func open(
        _ artifact: TinyArtifact, buckets: [Int] = [1, 2, 4, 8, 16], threads: Int = 2
    ) throws -> ExportedModel {
        try ExportedModel(
            folder: artifact.folder,
            options: ExportedModelOptions(
                session: OnnxSessionOptions(threadsPerRun: threads), batchBuckets: buckets))
    }

    static func pictures(_ count: Int) -> [PreparedImage] {
        (0..<count).map { index in
            var random = RandomSource(seed: 7, stream: UInt64(index))
            let size = TinyArtifact.imageSize
            return PreparedImage(size: size, pixels: (0..<3 * size * size).map { _ in Float(random.normal()) })
        }
    }

    /// Texts of 2 tokens up to more than the context has.
    private static let texts =
        TinyArtifact.texts + [
            "", "apple", "zebra quartz!", Array(repeating: "a red apple", count: 12).joined(separator: " "),
        ]

    @Test(arguments: TinyArtifact.Kind.allCases) func embedsAsThePlainLoopsDo(_ kind: TinyArtifact.Kind) throws {
        try withTemporaryFolder { folder in
            let artifact = try TinyArtifact.write(kind, to: folder), reference = TinyReference(artifact)
            let model = try open(artifact)
            #expect(model.manifest == artifact.manifest)
            #expect(model.contextLength == TinyArtifact.contextLength)
            #expect(model.hasImageTower == (kind != .sentences))
            #expect(model.canCaption == (kind == .coca))
            let texts = Self.texts.map(model.prepare(text:))
            #expect(texts.map(\.isTruncated) == texts.indices.map { $0 == texts.count - 1 })
            #expect(texts.last?.ids.count == TinyArtifact.contextLength)
            for count in [1, 3, texts.count] {
                let vectors = try model.embed(texts: Array(texts.suffix(count)))
                #expect(vectors.count == count)
                for (text, vector) in zip(texts.suffix(count), vectors) {
                    expectClose(vector, reference.vector(text), absolute: 5e-6, "text of \(text.ids.count) tokens")
                }
            }
            guard kind != .sentences else { return }
            let pictures = Self.pictures(21)
            for count in [1, 5, 21] {
                let vectors = try model.embed(images: Array(pictures.prefix(count)))
                #expect(vectors.count == count)
                for (picture, vector) in zip(pictures, vectors) {
                    expectClose(vector, reference.vector(picture), absolute: 5e-6)
                }
            }
        }
    }

    /// With one bucket every run has the same shape, so that bits must not depend on who else is in it.
    @Test(arguments: [TinyArtifact.Kind.coca, .siglip, .sentences])
    func neighboursChangeNoBitWithinABucket(_ kind: TinyArtifact.Kind) throws {
        try withTemporaryFolder { folder in
            let model = try open(TinyArtifact.write(kind, to: folder), buckets: [8])
            // Of one length each time, since the longest text of a run gives it its shape.
            for (_, texts) in Dictionary(grouping: Self.texts.map(model.prepare(text:)), by: \.ids.count) {
                let others = texts.map { PreparedText(ids: $0.ids.reversed(), isTruncated: false) }
                let all = texts + others
                let alone = try all.map { try model.embed(texts: [$0])[0] }
                for start in all.indices {
                    let rotated = Array(all[start...] + all[..<start])
                    #expect(try model.embed(texts: rotated) == Array(alone[start...] + alone[..<start]))
                }
            }
            let texts = Self.texts.map(model.prepare(text:))
            for (together, text) in zip(try model.embed(texts: texts), texts) {
                expectClose(together, try model.embed(texts: [text])[0], absolute: 2e-6)
            }
            guard kind != .sentences else { return }
            let pictures = Self.pictures(11)
            let single = try pictures.map { try model.embed(images: [$0])[0] }
            #expect(try model.embed(images: pictures) == single)
            #expect(try model.embed(images: pictures.reversed()) == single.reversed())
            // Nor does an enormous neighbour.
            let large = PreparedImage(size: TinyArtifact.imageSize, pixels: pictures[0].pixels.map { $0 * 1e4 })
            #expect(try model.embed(images: [large, pictures[1]])[1] == single[1])
        }
    }

    @Test func bucketsAgree() throws {
        try withTemporaryFolder { folder in
            let artifact = try TinyArtifact.write(.coca, to: folder)
            let pictures = Self.pictures(13)
            let expected = try open(artifact, buckets: [1]).embed(images: pictures)
            for buckets in [[1, 2, 4, 8, 16], [13], [3, 5], [32]] {
                for (found, expected) in zip(try open(artifact, buckets: buckets).embed(images: pictures), expected) {
                    expectClose(found, expected, absolute: 1e-5)
                }
            }
        }
    }

    @Test func manyThreadsEmbedAtOnce() throws {
        try withTemporaryFolder { folder in
            let model = try open(TinyArtifact.write(.clip, to: folder), buckets: [4])
            let pictures = Self.pictures(12), texts = Self.texts.map(model.prepare(text:))
            let expected = (try model.embed(images: pictures), try model.embed(texts: texts))
            let failures = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: 40) { index in
                let isRight =
                    index.isMultiple(of: 2)
                    ? (try? model.embed(images: pictures)) == expected.0
                    : (try? model.embed(texts: texts)) == expected.1
                if !isRight { failures.add(1, ordering: .relaxed) }
            }
            #expect(failures.load(ordering: .relaxed) == 0)
        }
    }

    @Test func preparesPicturesAndPrompts() throws {
        try withTemporaryFolder { folder in
            let model = try open(TinyArtifact.write(.coca, to: folder))
            let image = Image(width: 40, height: 30, pixels: (0..<3600).map { UInt8($0 * 7 % 256) })
            try image.write(to: folder + "/picture.png", as: .png)
            let prepared = try Files.read(folder + "/picture.png").withUnsafeBytes {
                try model.prepare(image: $0, name: "picture")
            }
            let preprocessing = try #require(model.preprocessing), pixels = preprocessing(image)
            #expect(prepared == PreparedImage(size: 16, pixels: pixels))
            let error = try #require(throws: ConcordError.self) {
                try Array("no picture".utf8).withUnsafeBytes { try model.prepare(image: $0, name: "the upload") }
            }
            #expect(error.code == .invalidImage && error.message.contains("the upload"))
            let prompt = try model.prepare(prompt: "a red")
            #expect(prompt == Array(model.prepare(text: "a red").ids.dropLast()))
            for empty in ["", "  "] {
                let error = try #require(throws: ConcordError.self) { try model.prepare(prompt: empty) }
                #expect(error.code == .invalidArgument)
            }
        }
    }

    @Test func refusesWhatTheModelCannotRead() throws {
        try withTemporaryFolder { folder in
            let model = try open(TinyArtifact.write(.clip, to: folder + "/clip"))
            func code(_ body: () throws -> Void) throws -> ConcordError.Code {
                try #require(throws: ConcordError.self) { try body() }.code
            }
            for ids in [[], [-1], [100_000], Array(repeating: Int32(5), count: TinyArtifact.contextLength + 1)] {
                #expect(
                    try code { _ = try model.embed(texts: [PreparedText(ids: ids, isTruncated: false)]) }
                        == .invalidArgument)
            }
            let other = PreparedImage(size: 8, pixels: Array(repeating: 0, count: 192))
            #expect(try code { _ = try model.embed(images: [other]) } == .shapeMismatch)
            let broken = PreparedImage(size: 16, pixels: Array(repeating: .nan, count: 768))
            #expect(try code { _ = try model.embed(images: Self.pictures(1) + [broken]) } == .nonFiniteValue)
            #expect(
                try code { _ = try model.makeCaptionSession(for: Self.pictures(1)) } == .invalidConfiguration)
            #expect(try model.embed(images: []).isEmpty)
            #expect(try model.embed(texts: []).isEmpty)
            let sentences = try open(TinyArtifact.write(.sentences, to: folder + "/sentences"))
            #expect(try code { _ = try sentences.embed(images: Self.pictures(1)) } == .invalidConfiguration)
            #expect(
                try code {
                    _ = try [0 as UInt8].withUnsafeBytes { try sentences.prepare(image: $0, name: "x") }
                } == .invalidConfiguration)
            let coca = try open(TinyArtifact.write(.coca, to: folder + "/coca"))
            #expect(try code { _ = try coca.makeCaptionSession(for: []) } == .emptyBatch)
        }
    }

    @Test func logitsAreScaledCosines() throws {
        try withTemporaryFolder { folder in
            let model = try open(TinyArtifact.write(.siglip, to: folder))
            let images = try model.embed(images: Self.pictures(2))
            let texts = try model.embed(texts: TinyArtifact.texts.map(model.prepare(text:)))
            var expected: [Double] = []
            for image in images {
                for text in texts {
                    var sum = 0.0
                    for (a, b) in zip(image, text) { sum += Double(a) * Double(b) }
                    expected.append(sum * 25 - 10)
                }
            }
            let logits = model.logits(images: images, texts: texts)
            #expect(logits.map(\.count) == [texts.count, texts.count])
            expectClose(logits.flatMap { $0 }, expected, absolute: 1e-5)
        }
    }

    @Test(arguments: TinyArtifact.Kind.allCases) func aWellModelKnowsItsCanary(_ kind: TinyArtifact.Kind) throws {
        try withTemporaryFolder { folder in
            let model = try open(TinyArtifact.write(kind, to: folder))
            try model.warmUp()
            try model.checkCanary()
        }
    }

    @Test func anotherModelDoesNotKnowTheCanary() throws {
        try withTemporaryFolder { folder in
            let good = try TinyArtifact.write(.coca, to: folder).manifest
            func failure(_ change: (inout ArtifactManifest) -> Void) throws -> String? {
                var manifest = good
                change(&manifest)
                try manifest.write(folder: folder)
                do throws(ConcordError) {
                    try ExportedModel(folder: folder).checkCanary()
                    return nil
                } catch {
                    #expect(error.code == .inference)
                    return error.message
                }
            }
            #expect(try failure { _ in } == nil)
            #expect(try failure { $0.canary.textEmbedding[0] += 0.03 }?.contains("text") == true)
            #expect(try failure { $0.canary.imageEmbedding?[3] -= 0.03 }?.contains("image") == true)
            #expect(try failure { $0.canary.imageEmbedding = Array(repeating: 0, count: 12) } != nil)
            // The same is near enough where processors multiply in 8 bits in ways of their own.
            #expect(
                try failure {
                    $0.precision = .int8
                    $0.canary.textEmbedding[0] += 0.03
                } == nil)
            let token = try #require(good.canary.caption?[1])
            #expect(try failure { $0.canary.caption?[1] = token + 1 }?.contains("captions") == true)
            #expect(
                try failure {
                    $0.precision = .int8Weights
                    $0.canary.caption?[1] = token + 1
                } == nil)
        }
    }
}
