import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

extension EmbeddingModel {
    /// The longest file that is compared with its hash in `concord.json` whenever a model is loaded, in bytes.
    ///
    /// Hashing the weights of a large model would take longer than all the rest of loading; ``ModelInspection/verify()``
    /// does it when asked.
    public static let hashedFileLimit = 64 << 20

    /// Reads a model folder of Concord, transformers, open_clip or sentence-transformers: weights, tokenizer and
    /// preprocessing.
    ///
    /// - Parameter dtype: of the parameters; nil keeps the checkpoint's.
    /// - Throws: a `ConcordError` that names the file at fault.
    public static func load(
        _ folder: String, dtype: DType? = .float32, device: Device = .cpu
    ) throws -> EmbeddingModel {
        let description = try ModelFolder(folder), tokenizer = try description.loadTokenizer()
        let model: EmbeddingModel
        switch description.architecture {
        case .dualEncoder:
            let preprocessing = try description.loadPreprocessing()
            model = EmbeddingModel(
                encoder: try DualEncoder.load(folder, dtype: dtype, device: device.checked()), tokenizer: tokenizer,
                preprocessing: preprocessing)
        case .sentenceEncoder:
            model = EmbeddingModel(
                encoder: try SentenceEncoder.load(folder, dtype: dtype, device: device.checked()),
                tokenizer: tokenizer)
        case .coca:
            let preprocessing = try description.loadPreprocessing()
            model = EmbeddingModel(
                encoder: try CoCa.load(folder, dtype: dtype, device: device.checked()), tokenizer: tokenizer,
                preprocessing: preprocessing)
        }
        // A report of the keys says more than a hash, so it came first.
        try description.manifest?.verifyHashes(folder: folder, limit: hashedFileLimit)
        return model
    }
}
