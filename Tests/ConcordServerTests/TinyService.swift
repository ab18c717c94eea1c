import ConcordCore
import ConcordMedia
import ConcordRuntime
import ConcordServer
import ConcordTestSupport

/// A registry with a tiny model, and pictures for it.
struct TinyService {
    let registry: ModelRegistry
    let metrics = ServerMetrics()
    /// The same model, asked directly.
    let direct: ExportedModel
    let model: ServedModel

    static var options: ServingOptions {
        var options = ServingOptions(processors: 2)
        options.canaryInterval = nil
        return options
    }

    init(_ kind: TinyArtifact.Kind, _ folder: String, options: ServingOptions = Self.options) async throws {
        try TinyArtifact.write(kind, to: folder + "/model")
        registry = ModelRegistry(options: options, metrics: metrics)
        direct = try ExportedModel(folder: folder + "/model", options: options.model)
        model = try await registry.load(name: "tiny", folder: folder + "/model")
    }

    /// A PNG of noise.
    static func picture(_ seed: Int, width: Int = 24, height: Int = 20) throws -> [UInt8] {
        var random = RandomSource(seed: UInt64(seed), stream: 0)
        let pixels = (0..<width * height * 3).map { _ in UInt8(truncatingIfNeeded: random.next() &>> 8) }
        return try Image(width: width, height: height, pixels: pixels).encoded(as: .png)
    }

    func prepared(_ picture: [UInt8]) throws -> PreparedImage {
        try picture.withUnsafeBytes { try direct.prepare(image: $0, name: "test") }
    }
}
