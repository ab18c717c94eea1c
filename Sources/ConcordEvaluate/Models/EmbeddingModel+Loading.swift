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
    /// A folder without a tokenizer that can be read embeds pictures all the same, and one that says not how pictures are
    /// prepared embeds texts; ``textSide()`` and ``imageSide()`` throw what is wrong.
    ///
    /// - Parameter dtype: of the parameters; nil keeps the checkpoint's.
    /// - Throws: a `ConcordError` that names the file at fault.
    public static func load(
        _ folder: String, dtype: DType? = .float32, device: Device = .cpu
    ) throws -> EmbeddingModel {
        let description = try ModelFolder(folder), device = try device.checked()
        let encoder = try description.loadModel(dtype: dtype, device: device)
        // A report of the keys says more than a hash, so it came first.
        try description.manifest?.verifyHashes(folder: folder, limit: hashedFileLimit)
        return EmbeddingModel(
            encoder, tokenizer: Result { () throws(ConcordError) in try description.loadTokenizer() },
            preprocessing: Result { () throws(ConcordError) in try description.loadPreprocessing() })
    }
}
