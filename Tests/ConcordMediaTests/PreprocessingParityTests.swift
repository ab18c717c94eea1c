import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordTestSupport
import Testing

/// Images preprocessed by configurations that open_clip and transformers read, against what those made of them: all
/// pixels, and all normalized values.
struct PreprocessingParityTests {
    struct Case: Sendable, CustomStringConvertible {
        let peer: String
        let name: String
        let config: JSONValue
        let results: [JSONValue.Member]
        var description: String { "\(peer): \(name)" }

        func preprocessing() throws -> ImagePreprocessing {
            peer == "open_clip"
                ? try ImagePreprocessing(openCLIPConfig: config, imageSize: PreprocessingParityTests.size)
                : try ImagePreprocessing(preprocessorConfig: config)
        }
    }

    static let size = 16
    static let folder = ConcordTestSupport.Golden.folder("media")
    static let cases: [Case] = {
        do {
            let elements = try ConcordTestSupport.Golden.json("media", "configs.json")["cases"]?.elements ?? []
            return try elements.map { element in
                Case(
                    peer: try #require(element["peer"]?.string), name: try #require(element["name"]?.string),
                    config: try #require(element["config"]), results: try #require(element["results"]?.members))
            }
        } catch {
            fatalError("the golden files do not load: \(error); run scripts/golden/make_media_configs.py")
        }
    }()

    @Test(arguments: cases)
    func equalsThePeer(_ example: Case) throws {
        let pixels = try Files.read(Self.folder + "/configs.bin")
        let preprocessing = try example.preprocessing()
        let count = 3 * preprocessing.cropSize * preprocessing.cropSize
        try #require(!example.results.isEmpty)
        for result in example.results {
            let image = try Image(contentsOf: Self.folder + "/images/" + result.name)
            let offset = try #require(result.value["offset"]?.int)
            expectEqual(
                preprocessing.pixels(image),
                Image(width: Self.size, height: Self.size, pixels: Array(pixels[offset..<(offset + count)])))
            let hash = preprocessing(image).withUnsafeBytes { FileHash(.sha256, of: Array($0)).hexadecimal }
            #expect(hash == result.value["sha256"]?.string, "\(result.name)")
        }
    }

    /// Where both sides write all members, a file made here is the one that the peer makes, so the peer reads it.
    @Test(arguments: cases)
    func writesWhatThePeerWrites(_ example: Case) throws {
        let preprocessing = try example.preprocessing()
        func sorted(_ value: JSONValue?) -> [JSONValue.Member]? { value?.members?.sorted { $0.name < $1.name } }
        if example.peer == "open_clip" {
            let written = try preprocessing.openCLIPConfig()
            #expect(try ImagePreprocessing(openCLIPConfig: written, imageSize: Self.size) == preprocessing)
            guard example.config["model_cfg"] == nil else { return }
            #expect(sorted(written["preprocess_cfg"]) == sorted(example.config["preprocess_cfg"]))
        } else {
            let written = try preprocessing.preprocessorConfig()
            #expect(try ImagePreprocessing(preprocessorConfig: written) == preprocessing)
            guard
                ["CLIP, bicubic", "CLIP, nearest", "CLIP, smaller than the crop", "SigLIP, bicubic"].contains(
                    example.name)
            else { return }
            #expect(sorted(written) == sorted(example.config))
        }
    }
}
