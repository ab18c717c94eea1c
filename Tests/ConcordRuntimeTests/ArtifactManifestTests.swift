import ConcordCore
import ConcordRuntime
import ConcordTestSupport
import Foundation
import Testing

@Suite struct ArtifactManifestTests {
    private static let hash = String(repeating: "0123456789abcdef", count: 4)

    private static let sum = String(repeating: "0123456789abcdef", count: 2)

    private static var manifest: ArtifactManifest {
        ArtifactManifest(
            name: "emoji", precision: .int8Weights,
            graphs: [
                .image: "image.onnx", .text: "text.onnx", .captionPrefill: "prefill.onnx", .captionStep: "step.onnx",
            ], embeddingWidth: 3, logitScale: 14.2857, logitBias: -10, vectorSpace: hash,
            hashes: ["image.onnx": hash, "text.onnx": hash, "prefill.onnx": hash, "step.onnx": hash, "a b.txt": hash],
            checksums: [
                "image.onnx": sum, "text.onnx": sum, "prefill.onnx": sum, "step.onnx": sum, "a b.txt": sum,
            ],
            canary: ArtifactCanary(
                text: "Ein \"Bär\"", textEmbedding: [0.1, -0.7, 1e-30], imageEmbedding: [1, .pi, 0.333_333_34],
                caption: [5, 0, 49407]),
            report: "report.json", tool: "concord 1", date: "2026-11-26")
    }

    @Test func readsWhatItWrites() throws {
        for kind in 0..<2 {
            var manifest = Self.manifest
            if kind == 1 {
                (manifest.graphs, manifest.logitScale, manifest.logitBias) = ([.text: "text.onnx"], nil, nil)
                (manifest.report, manifest.precision) = (nil, .float32)
                (manifest.canary.imageEmbedding, manifest.canary.caption) = (nil, nil)
                manifest.checksums = [:]
            }
            try withTemporaryFolder { folder in
                try manifest.write(folder: folder)
                #expect(try ArtifactManifest(folder: folder) == manifest)
            }
        }
    }

    private struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let expected: String
        let change: @Sendable (inout [JSONValue.Member]) -> Void
        var testDescription: String { name }
    }

    private static func put(_ name: String, _ value: JSONValue) -> @Sendable (inout [JSONValue.Member]) -> Void {
        { members in
            members.removeAll { $0.name == name }
            members.append(.init(name, value))
        }
    }

    /// Changes a member of an object within.
    private static func put(
        _ outer: String, _ name: String, _ value: JSONValue?
    ) -> @Sendable (inout [JSONValue.Member]) -> Void {
        { members in
            guard let index = members.firstIndex(where: { $0.name == outer }) else { return }
            var inner = (members[index].value.members ?? []).filter { $0.name != name }
            if let value { inner.append(.init(name, value)) }
            members[index] = .init(outer, .object(inner))
        }
    }

    private static func remove(_ name: String) -> @Sendable (inout [JSONValue.Member]) -> Void {
        { $0.removeAll { $0.name == name } }
    }

    private static let cases: [Case] = [
        Case(name: "a later version", expected: "is 2, later than the 1", change: put("format_version", 2)),
        Case(name: "no version", expected: "`format_version`", change: remove("format_version")),
        Case(name: "an unknown member", expected: "did you mean `embedding_width`", change: put("embeding_width", 3)),
        Case(name: "a member twice", expected: "appears twice", change: { $0.append(.init("name", "other")) }),
        Case(name: "an empty name", expected: "`name`", change: put("name", "")),
        Case(name: "a name of the wrong type", expected: "must be a string", change: put("name", 3)),
        Case(name: "an unknown precision", expected: "`int4`", change: put("precision", "int4")),
        Case(name: "a width of 0", expected: "`embedding_width`", change: put("embedding_width", 0)),
        Case(name: "a width as text", expected: "must be a whole number", change: put("embedding_width", "3")),
        Case(name: "another width", expected: "has 3 values", change: put("embedding_width", 4)),
        Case(name: "no scale with pictures", expected: "`logit_scale`", change: remove("logit_scale")),
        Case(name: "a scale as text", expected: "must be a number", change: put("logit_scale", "14")),
        Case(name: "a vector space that is no hash", expected: "SHA-256", change: put("vector_space", "abc")),
        Case(name: "an unknown graph", expected: "did you mean `text`", change: put("graphs", "texts", "text.onnx")),
        Case(name: "no text graph", expected: "no `text`", change: put("graphs", "text", nil)),
        Case(
            name: "a step without a prefill", expected: "both are needed",
            change: put("graphs", "caption_prefill", nil)),
        Case(name: "captions without pictures", expected: "`image`", change: put("graphs", "image", nil)),
        Case(name: "a graph that is no name", expected: "must be a string", change: put("graphs", "text", 1)),
        Case(name: "a graph above the folder", expected: "plain name", change: put("graphs", "text", "../text.onnx")),
        Case(name: "a graph below the folder", expected: "plain name", change: put("graphs", "text", "a/text.onnx")),
        Case(name: "an absolute graph", expected: "plain name", change: put("graphs", "text", "/etc/passwd")),
        Case(name: "the folder above", expected: "plain name", change: put("graphs", "text", "..")),
        Case(name: "the folder itself", expected: "plain name", change: put("graphs", "text", ".")),
        Case(name: "no name at all", expected: "plain name", change: put("graphs", "text", "")),
        Case(name: "a backslash", expected: "plain name", change: put("graphs", "text", "..\\text.onnx")),
        Case(name: "a zero byte", expected: "plain name", change: put("graphs", "text", "text.onnx\0")),
        Case(name: "a report elsewhere", expected: "plain name", change: put("report", "../report.json")),
        Case(name: "a hash of a file elsewhere", expected: "plain name", change: put("sha256", "../x", .string(hash))),
        Case(
            name: "a hash in capitals", expected: "SHA-256",
            change: put("sha256", "text.onnx", .string(hash.uppercased()))),
        Case(name: "a short hash", expected: "SHA-256", change: put("sha256", "text.onnx", "0123")),
        Case(name: "a long checksum", expected: "XXH128", change: put("xxh128", "text.onnx", .string(hash))),
        Case(
            name: "a checksum of no digits", expected: "XXH128",
            change: put("xxh128", "text.onnx", "no digits at all, but 32 letters")),
        Case(name: "a checksum elsewhere", expected: "plain name", change: put("xxh128", "../x", .string(sum))),
        Case(name: "a file without a checksum", expected: "`xxh128`", change: put("xxh128", "text.onnx", nil)),
        Case(name: "a graph without a hash", expected: "lacks text.onnx", change: put("sha256", "text.onnx", nil)),
        Case(name: "no hashes", expected: "lacks", change: remove("sha256")),
        Case(name: "no canary", expected: "`canary.text`", change: remove("canary")),
        Case(name: "an unknown canary", expected: "`canary.audio`", change: put("canary", "audio", 1)),
        Case(
            name: "a vector of texts", expected: "list of numbers",
            change: put("canary", "text_embedding", ["1", "2", "3"])),
        Case(
            name: "a vector that is a number", expected: "list of numbers", change: put("canary", "text_embedding", 1)),
        Case(
            name: "no vector of the picture", expected: "`image_embedding`",
            change: put("canary", "image_embedding", nil)),
        Case(name: "no caption", expected: "`caption`", change: put("canary", "caption", nil)),
        Case(
            name: "half a token", expected: "token ids", change: put("canary", "caption", [1.5])),
        Case(
            name: "a token beyond 32 bits", expected: "token ids", change: put("canary", "caption", [4_294_967_296])
        ),
    ]

    @Test(arguments: cases) private func refuses(_ test: Case) throws {
        var members = try #require(Self.manifest.json().members)
        test.change(&members)
        let error = try #require(throws: ConcordError.self) {
            try ArtifactManifest(.object(members), path: "here/artifact.json")
        }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.contains(test.expected), "\(error)")
        #expect(error.message.contains("here/artifact.json"), "\(error)")
    }

    @Test func refusesWhatIsNoManifest() throws {
        try withTemporaryFolder { folder in
            let missing = try #require(throws: ConcordError.self) { try ArtifactManifest(folder: folder) }
            #expect(missing.code == .fileSystem)
            for (text, code) in [
                ("{", ConcordError.Code.malformedText), ("[]", .invalidConfiguration), ("", .malformedText),
            ] {
                try Files.replace(folder + "/artifact.json", with: text)
                let error = try #require(throws: ConcordError.self) { try ArtifactManifest(folder: folder) }
                #expect(error.code == code, "\(error)")
            }
        }
    }
}
