import ConcordCheckpoint
import ConcordCore
import ConcordData

/// Hashes of the files that a run reads again when it is resumed, so that it goes on with the same ones or not at all.
struct RunFingerprint {
    private let captions: (path: String, sha256: String)
    /// The weights that the run starts from.
    private let weights: [(path: String, sha256: String)]

    /// Throws `.fileSystem` or `.invalidCheckpoint` for files that cannot be read.
    init(_ dataset: CaptionDataset, _ start: StartingModel) throws(ConcordError) {
        captions = (dataset.captionFile, try FileHash(.sha256, ofFile: dataset.captionFile).hexadecimal)
        weights = try start.hashes()
    }

    /// What a checkpoint's `state.json` keeps.
    var members: [JSONValue.Member] {
        [
            .init("captions_sha256", .string(captions.sha256)),
            .init("weights_sha256", .array(weights.map { .string($0.sha256) })),
        ]
    }

    /// The path of a file that is not what a saved state says; nil when all are.
    func firstChange(since saved: JSONValue) -> String? {
        guard saved["captions_sha256"]?.string == captions.sha256 else { return captions.path }
        let old = saved["weights_sha256"]?.elements?.map(\.string) ?? []
        return weights.indices.first { $0 >= old.count || old[$0] != weights[$0].sha256 }.map { weights[$0].path }
    }
}
